{{ config(materialized='view') }}

-- Bronze keeps all versions as they landed; the same one landed again is one.
with

told as (

    select
        batch_id,
        line_number,
        status,
        payload_hash,
        {{ plain_version('experiment_id') }} as experiment_id,
        {{ utc_day('start_date') }} as started_on,
        {{ utc_day('end_date') }} as ended_on,
        {{ valid_json('traffic_split') }} as traffic_split,
        {{ valid_json('variants') }} as variants,
        {{ valid_json('success_metrics') }} as success_metrics,
        {{ valid_json('guardrails') }} as guardrails,
        {{ utc_timestamp('coalesce(updated_at, ingested_at)') }} as valid_from,
        {{ utc_timestamp('ingested_at') }} as ingested_at
    from {{ source('bronze', 'experiments') }}

),

numbered as (

    select
        *,
        row_number() over (
            partition by experiment_id, payload_hash order by ingested_at, batch_id, line_number
        ) as copy_number
    from told
    where experiment_id is not null

),

versions as (

    select
        experiment_id,
        batch_id,
        status,
        started_on,
        ended_on,
        traffic_split,
        variants,
        success_metrics,
        guardrails,
        valid_from,
        row_number() over in_time as version_number,
        lead(valid_from) over in_time as valid_to
    from numbered
    where copy_number = 1
    window in_time as (
        partition by experiment_id order by valid_from, ingested_at, batch_id, line_number
    )

)

select * from versions
