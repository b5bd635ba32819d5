-- Every row of bronze is in silver or among its duplicates, batch by batch, and none is twice.
with

landed as (

    select
        batch_id,
        count(*) as row_total
    from {{ source('bronze', 'attempts') }}
    group by batch_id

),

accounted as (

    select
        batch_id,
        count(*) as row_total
    from (
        select batch_id from {{ ref('stg_access__attempts') }}
        union all
        select batch_id from {{ ref('int_access__duplicates') }}
        where table_name = 'attempts'
    ) as rows_of_silver
    group by batch_id

)

select landed.batch_id
from landed
left join accounted on landed.batch_id = accounted.batch_id
where landed.row_total != coalesce(accounted.row_total, 0)
