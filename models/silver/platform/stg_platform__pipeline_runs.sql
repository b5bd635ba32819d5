{{ config(materialized='view') }}

with

recorded as (

    select
        *,
        {{ json_texts('details', ['$.cadence']) }} as texts
    from {{ source('bronze', 'pipeline_runs') }}

),

runs as (

    select
        run_id,
        pipeline_id,
        pipeline_name,
        stage,
        status,
        rows_in,
        {{ list_item('texts', 1) }} as cadence,
        {{ utc_timestamp('started_at') }} as began_at,
        {{ utc_timestamp('finished_at') }} as ended_at
    from recorded

)

select * from runs
