-- Every row of bronze is in silver or among its duplicates, batch by batch, and none is twice: the
-- lines are counted and added up, so that one lost does not make up for one doubled.
with

bronze_rows as (

    {{ lines_of({
        'attempts': source('bronze', 'attempts'),
        'deposit_attempts': source('bronze', 'deposit_attempts'),
        'platform_events': source('bronze', 'platform_events'),
    }) }}

),

silver_rows as (

    {{ lines_of({
        'attempts': ref('stg_access__attempts'),
        'deposit_attempts': ref('stg_access__deposit_attempts'),
        'platform_events': ref('stg_engagement__events'),
    }) }}
    union all
    select
        table_name,
        batch_id,
        line_number
    from {{ ref('int_access__duplicates') }}
    union all
    select
        table_name,
        batch_id,
        line_number
    from {{ ref('int_engagement__duplicates') }}

),

landed as (

    select
        table_name,
        batch_id,
        cast(sum(line_number) as int64) as line_total,
        count(*) as row_total
    from bronze_rows
    group by table_name, batch_id

),

accounted as (

    select
        table_name,
        batch_id,
        cast(sum(line_number) as int64) as line_total,
        count(*) as row_total
    from silver_rows
    group by table_name, batch_id

)

select landed.batch_id
from landed
left join accounted
    on
        landed.table_name = accounted.table_name
        and landed.batch_id = accounted.batch_id
where
    landed.row_total != coalesce(accounted.row_total, 0)
    or landed.line_total != coalesce(accounted.line_total, 0)
