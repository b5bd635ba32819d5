{{ config(
    materialized='incremental',
    incremental_strategy='renew',
    meta={'renews': {
        'days': 'landed_on',
        'below': 'int_platform__batches_to_count',
        'day_below': 'landed_on',
    }}
) }}

-- The days of {{ ref('int_platform__batches_to_count') }}, each of them whole.
with

landed as (

    {{ landed_rows(is_renewed('ingest_date')) }}

),

letters as (

    select * from {{ source('bronze', 'dead_letters') }}
    where
        table_name in {{ event_table_names() }}
        and {{ is_renewed('ingest_date') }}

),

received as (

    select
        landed_on,
        table_name,
        producer,
        sequence
    from landed
    union all
    select
        ingest_date as landed_on,
        table_name,
        producer,
        sequence
    from letters

),

numbers as (

    select distinct
        landed_on,
        table_name,
        producer,
        sequence
    from received
    where producer is not null and sequence is not null

),

-- Of numbers without a gap between them, each is as far from its place as the others.
placed as (

    select
        *,
        sequence - row_number() over (
            partition by landed_on, table_name, producer order by sequence
        ) as distance
    from numbers

),

ranges as (

    select
        landed_on,
        table_name,
        producer,
        min(sequence) as first_number,
        max(sequence) as last_number
    from placed
    group by landed_on, table_name, producer, distance

),

plain as (

    select * from ranges
    where {{ plain_producer('producer') }} is not null

)

select * from plain
