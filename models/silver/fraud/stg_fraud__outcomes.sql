{{ config(
    materialized='incremental',
    unique_key='event_id'
) }}

with

arrivals as (

    select * from {{ ref('int_fraud__outcome_arrivals') }}
    where verdict = 'kept' and is_new

),

fraud_outcomes as (

    select * from {{ source('bronze', 'fraud_outcomes') }}
    where {{ arrived_since(ref('int_fraud__outcome_arrivals')) }}

),

kept as (

    select
        fraud_outcomes.*,
        arrivals.payload_key
    from fraud_outcomes
    inner join arrivals
        on {{ same('fraud_outcomes', 'arrivals', ['batch_id', 'line_number', 'event_id']) }}

),

typed as (

    select
        event_id,
        batch_id,
        line_number,
        payload_key,
        nullif(trim(transaction_id, ' '), '') as transaction_id,
        nullif(trim(customer_id, ' '), '') as customer_id,
        is_fraud_tx as is_fraud,
        chargeback_occurred as is_chargeback,
        false_positive_cost_minor,
        overridden_decision,
        authorized as is_authorized,
        converted as is_converted,
        {{ squeezed('region') }} as region,
        {{ utc_timestamp('recorded_at') }} as recorded_at,
        {{ utc_timestamp('ingested_at') }} as ingested_at
    from kept

),

pseudonymized as (

    select
        -- ids
        event_id,
        batch_id,
        line_number,
        payload_key,
        {{ pseudonymize('transaction_id', 'fraud.transaction_id') }} as transaction_key,
        {{ pseudonymize('customer_id', 'fraud.customer_id') }} as customer_key,

        -- what it says
        is_fraud,
        is_chargeback,
        false_positive_cost_minor,
        overridden_decision,
        is_authorized,
        is_converted,
        region,

        -- times
        recorded_at,
        ingested_at
    from typed

)

select * from pseudonymized
