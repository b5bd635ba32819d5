{{ config(materialized='table') }}

with

runs as (

    select
        status,
        {{ month_start(utc_day(utc_timestamp('started_at'))) }} as started_month,
        {{ utc_timestamp('ingested_at') }} as recorded_at
    from {{ source('bronze', 'pipeline_runs') }}

),

months as (

    select
        started_month as period_start,
        count(case when status = 'failed' then 1 end) as failed_runs,
        max(recorded_at) as updated_at
    from runs
    group by started_month

)

select * from months
