{{ config(
    materialized='incremental',
    incremental_strategy='renew',
    meta={'renews': {
        'days': 'landed_on',
        'below': 'int_platform__batch_books',
        'day_below': 'landed_on',
    }}
) }}

with

batches as (

    select distinct
        landed_on,
        table_name,
        batch_id
    from {{ ref('int_platform__batch_books') }}

),

landed as (

    {{ landed_rows(is_renewed('ingest_date')) }}

),

letters as (

    select * from {{ source('bronze', 'dead_letters') }}
    where {{ is_renewed('ingest_date') }}

),

received as (

    select
        table_name,
        batch_id,
        producer,
        sequence
    from landed
    union all
    select
        table_name,
        batch_id,
        producer,
        sequence
    from letters

),

numbers as (

    select distinct
        batches.landed_on,
        received.table_name,
        received.producer,
        received.sequence
    from received
    inner join batches on {{ same('received', 'batches', ['table_name', 'batch_id']) }}
    where received.producer is not null and received.sequence is not null

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
