-- Every row of bronze is in silver or among its duplicates, batch by batch, and none is twice: the
-- lines are counted and added up, so that one lost does not make up for one doubled.
with

landed as (

    select
        batch_id,
        cast(sum(line_number) as int64) as line_total,
        count(*) as row_total
    from {{ source('bronze', 'attempts') }}
    group by batch_id

),

accounted as (

    select
        batch_id,
        cast(sum(line_number) as int64) as line_total,
        count(*) as row_total
    from (
        select
            batch_id,
            line_number
        from {{ ref('stg_access__attempts') }}
        union all
        select
            batch_id,
            line_number
        from {{ ref('int_access__duplicates') }}
        where table_name = 'attempts'
    ) as rows_of_silver
    group by batch_id

)

select landed.batch_id
from landed
left join accounted on landed.batch_id = accounted.batch_id
where
    landed.row_total != coalesce(accounted.row_total, 0)
    or landed.line_total != coalesce(accounted.line_total, 0)
