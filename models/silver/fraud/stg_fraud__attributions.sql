{{ config(
    materialized='incremental',
    unique_key='event_id'
) }}

-- What it says is in these first: a batch counts as read once its rows are here.
-- {{ ref('int_fraud__attributed_features') }}, {{ ref('int_fraud__rule_traces') }}
with

arrivals as (

    select * from {{ ref('int_fraud__attribution_arrivals') }}
    where verdict = 'kept' and is_new

),

fraud_attributions as (

    select * from {{ source('bronze', 'fraud_attributions') }}
    where {{ arrived_since(ref('int_fraud__attribution_arrivals')) }}

),

kept as (

    select
        fraud_attributions.*,
        arrivals.payload_key
    from fraud_attributions
    inner join arrivals
        on {{ same('fraud_attributions', 'arrivals', ['batch_id', 'line_number', 'event_id']) }}

),

typed as (

    select
        event_id,
        batch_id,
        line_number,
        payload_key,
        method,
        nullif(trim(customer_id, ' '), '') as customer_id,
        {{ squeezed('region') }} as region,
        {{ utc_timestamp('coalesce(computed_at, ingested_at)') }} as computed_at,
        {{ utc_timestamp('ingested_at') }} as ingested_at
    from kept

),

pseudonymized as (

    select
        event_id,
        batch_id,
        line_number,
        payload_key,
        {{ pseudonymize('customer_id', 'fraud.customer_id') }} as customer_key,
        method,
        region,
        computed_at,
        ingested_at
    from typed

)

select * from pseudonymized
