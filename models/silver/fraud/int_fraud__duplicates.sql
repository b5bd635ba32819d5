{{ config(
    materialized='incremental',
    incremental_strategy='renew',
    meta={'renews': {
        'keys': 'event_id',
        'arrivals': {
            'fraud_decisions': 'int_fraud__decision_arrivals',
            'fraud_outcomes': 'int_fraud__outcome_arrivals',
        },
    }}
) }}

with

decision_arrivals as (

    select * from {{ ref('int_fraud__decision_arrivals') }}

),

outcome_arrivals as (

    select * from {{ ref('int_fraud__outcome_arrivals') }}

),

duplicates as (

    {% for table in ['decision', 'outcome'] -%}
        select
            'fraud_{{ table }}s' as table_name,
            event_id,
            batch_id,
            line_number,
            ingested_at,
            payload_key,
            verdict as code
        from {{ table }}_arrivals
        where verdict != 'kept'
        {{ 'union all' if not loop.last }}
    {% endfor %}
)

select * from duplicates
