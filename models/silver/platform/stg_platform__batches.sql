{{ config(materialized='table') }}

-- Taken before silver reads bronze. A batch's line becomes visible last, so silver sees all of each
-- batch that is listed here.
with

ledger as (

    select * from {{ source('bronze', 'landing_ledger') }}
    where
        table_name in {{ event_table_names() }}
        and {{ is_held('ingest_date', 'table_name') }}

),

batches as (

    select
        table_name,
        batch_id,
        min(ingest_date) as landed_on,
        max(received) as received,
        max(accepted) as accepted,
        max(rejected) as rejected,
        max(duplicates) as duplicates,
        {{ utc_timestamp('min(started_at)') }} as began_at,
        {{ utc_timestamp('max(finished_at)') }} as ended_at,
        count(*) as ledger_lines
    from ledger
    group by table_name, batch_id

)

select * from batches
