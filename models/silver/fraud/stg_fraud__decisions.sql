{{ config(
    materialized='incremental',
    unique_key='event_id'
) }}

-- Its features are in this first: a batch counts as read once its rows are here.
-- {{ ref('int_fraud__feature_values') }}
with

arrivals as (

    select * from {{ ref('int_fraud__decision_arrivals') }}
    where verdict = 'kept' and is_new

),

fraud_decisions as (

    select * from {{ source('bronze', 'fraud_decisions') }}
    where {{ arrived_since(ref('int_fraud__decision_arrivals')) }}

),

countries as (

    select * from {{ ref('countries') }}

),

kept as (

    select
        fraud_decisions.*,
        arrivals.payload_key
    from fraud_decisions
    inner join arrivals
        on {{ same('fraud_decisions', 'arrivals', ['batch_id', 'line_number', 'event_id']) }}

),

typed as (

    select
        event_id,
        batch_id,
        line_number,
        payload_key,
        nullif(trim(transaction_id, ' '), '') as transaction_id,
        nullif(trim(customer_id, ' '), '') as customer_id,
        nullif(trim(device_id, ' '), '') as device_id,
        nullif(trim(merchant_id, ' '), '') as merchant_id,
        decision,
        model_score,
        rule_score,
        final_score,
        coalesce({{ plain_version('model_version') }}, 'unknown') as model_version,
        coalesce({{ plain_version('rule_version') }}, 'unknown') as rule_version,
        {{ plain_version('experiment_id') }} as experiment_id,
        {{ plain_version('variant_id') }} as variant_id,
        model_provider,
        {{ spelling('merchant_category') }} as merchant_category,
        channel,
        {{ capitals('ip_country') }} as ip_country,
        {{ squeezed('region') }} as region,
        model_latency_ms,
        rule_latency_ms,
        total_latency_ms,
        is_fraud_tx as is_fraud,
        chargeback_occurred as is_chargeback,
        {{ capitals('currency') }} as currency,
        {{ utc_timestamp('timestamp') }} as decided_at,
        {{ utc_timestamp('ingested_at') }} as ingested_at
    from kept

),

-- What names published cells and is no word counts as not sent.
named as (

    select
        typed.*,
        countries.country as known_country,
        case when {{ is_word('typed.merchant_category') }} then typed.merchant_category end
            as merchant_word,
        case when {{ regexp_like('typed.currency', '^[A-Z]{3}$') }} then typed.currency end
            as currency_code
    from typed
    left join countries on typed.ip_country = countries.country

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
        {{ pseudonymize('device_id', 'fraud.device_id') }} as device_key,
        {{ pseudonymize('merchant_id', 'fraud.merchant_id') }} as merchant_key,

        -- what was decided, and by what
        decision,
        model_score,
        rule_score,
        final_score,
        model_version,
        rule_version,
        model_provider,
        model_latency_ms,
        rule_latency_ms,
        total_latency_ms,

        -- as part of which experiment
        experiment_id,
        variant_id,

        -- on what
        merchant_word as merchant_category,
        channel,
        known_country as country,
        region,
        currency_code as currency,

        -- what was known of it when it was sent
        is_fraud,
        is_chargeback,

        -- times
        decided_at,
        ingested_at
    from named

)

select * from pseudonymized
