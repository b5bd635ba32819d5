{{ config(
    materialized='incremental',
    incremental_strategy='renew',
    meta={'renews': {
        'days': 'landed_on',
        'below': 'int_platform__batches_to_count',
        'day_below': 'landed_on',
    }}
) }}

{%- set classes = refusal_classes() %}

-- The days of {{ ref('int_platform__batches_to_count') }}, each of them whole, as far as the ledger
-- had listed their batches when the build began.
with

batches as (

    select
        table_name,
        batch_id,
        landed_on
    from {{ ref('stg_platform__batches') }}
    where {{ is_renewed('landed_on') }}

),

landed as (

    {% for table in event_tables() %}
        {%- set event_time = 'bronze_rows.' ~ (contract_of(table).event_time or 'ingested_at') %}
        select
            '{{ table }}' as table_name,
            bronze_rows.batch_id,
            {{ utc_timestamp(event_time) }} as happened_at,
            {{ utc_timestamp('bronze_rows.ingested_at') }} as landed_at
        from {{ source('bronze', table) }} as bronze_rows
        where {{ is_renewed('bronze_rows.ingest_date') }}
        {{ 'union all' if not loop.last }}
    {% endfor %}
),

newest as (

    select
        table_name,
        batch_id,
        count(*) as accepted,
        {{ seconds_between('max(happened_at)', 'max(landed_at)') }} as delay_seconds
    from landed
    group by table_name, batch_id

),

letters as (

    select
        table_name,
        batch_id,
        code
    from {{ source('bronze', 'dead_letters') }}
    where
        table_name in {{ event_table_names() }}
        and resolution is null
        and {{ is_renewed('ingest_date') }}

),

codes as (

    select
        code,
        refused_as
    from {{ ref('error_codes') }}
    where stage = 'landing'

),

refusals as (

    select
        letters.table_name,
        letters.batch_id,
        {%- for name in classes %}
            count(case when codes.refused_as = '{{ name }}' then 1 end) as refused_{{ name }},
        {%- endfor %}
        count(*) as refused
    from letters
    left join codes on letters.code = codes.code
    group by letters.table_name, letters.batch_id

),

landings as (

    select
        batches.table_name,
        batches.batch_id,
        batches.landed_on,
        newest.delay_seconds,
        coalesce(newest.accepted, 0) as accepted,
        coalesce(refusals.refused, 0) as refused,
        {%- for name in classes %}
            coalesce(refusals.refused_{{ name }}, 0) as refused_{{ name }},
        {%- endfor %}
        {{ now_utc() }} as labelled_at
    from batches
    left join newest on {{ same('batches', 'newest', ['table_name', 'batch_id']) }}
    left join refusals on {{ same('batches', 'refusals', ['table_name', 'batch_id']) }}

)

select * from landings
