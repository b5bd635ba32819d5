{{ config(materialized='view') }}

-- When, what and how much; never who, nor what was asked for.
with

entries as (

    select
        id as entry_id,
        action,
        source_system as source,
        export_size as records,
        {{ utc_timestamp('coalesce(happened_at, timestamp)') }} as happened_at,
        {{ utc_timestamp('timestamp') }} as recorded_at,
        {{ utc_timestamp('covers_from') }} as covers_from,
        {{ utc_timestamp('covers_to') }} as covers_to,
        coalesce(result_summary like '%"refused": "%', false) as is_refused
    from {{ source('bronze', 'audit_log') }}

)

select * from entries
