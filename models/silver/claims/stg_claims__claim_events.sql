{{ config(
    materialized='incremental',
    unique_key='event_id'
) }}

{#- Of the address no more is read than this. -#}
{%- set places = ['$.city', '$.state', '$.country'] %}

with

arrivals as (

    select * from {{ ref('int_claims__claim_event_arrivals') }}
    where verdict = 'kept' and is_new

),

claim_events as (

    select * from {{ source('bronze', 'claim_events') }}
    where {{ arrived_since(ref('int_claims__claim_event_arrivals')) }}

),

countries as (

    select * from {{ ref('countries') }}

),

kept as (

    select
        claim_events.*,
        arrivals.payload_key,
        {{ valid_json('claim_events.location') }} as valid_location
    from claim_events
    inner join arrivals
        on {{ same('claim_events', 'arrivals', ['batch_id', 'line_number', 'event_id']) }}

),

located as (

    select
        *,
        {{ json_texts('valid_location', places) }} as places
    from kept

),

typed as (

    select
        event_id,
        batch_id,
        line_number,
        payload_key,
        event_type,
        coalesce({{ squeezed('partner_id') }}, 'unknown') as partner_id,
        nullif(trim(claim_id, ' '), '') as claim_id,
        nullif(trim(customer_id, ' '), '') as customer_id,
        nullif(trim(proof_id, ' '), '') as proof_id,
        customer_birth_year,
        {{ spelling('claim_type') }} as claim_type,
        claim_amount,
        {{ capitals('currency') }} as currency,
        {{ spelling(first_text('places', places, ['$.city'])) }} as city,
        {{ spelling(first_text('places', places, ['$.state'])) }} as state,
        {{ capitals(first_text('places', places, ['$.country'])) }} as country,
        processing_time_ms,
        fraud_score,
        {{ spelling('verification_result') }} as verification_result,
        is_fraud,
        {{ spelling('proof_type') }} as proof_type,
        {{ squeezed('region') }} as region,
        {{ plain_endpoint('api_endpoint') }} as api_endpoint,
        http_status,
        {{ utc_timestamp('timestamp') }} as occurred_at,
        {{ utc_timestamp('ingested_at') }} as ingested_at
    from located

),

-- What names published cells and is no word counts as not sent.
named as (

    select
        typed.event_id,
        typed.batch_id,
        typed.line_number,
        typed.payload_key,
        typed.event_type,
        typed.partner_id,
        typed.partner_id || {{ unit_separator() }} || typed.claim_id as claim_of_partner,
        typed.customer_id,
        typed.proof_id,
        typed.customer_birth_year,
        typed.claim_amount,
        countries.country,
        typed.processing_time_ms,
        typed.fraud_score,
        typed.is_fraud,
        typed.api_endpoint,
        typed.http_status,
        typed.region,
        typed.occurred_at,
        typed.ingested_at,
        case when {{ is_word('typed.claim_type') }} then typed.claim_type end as claim_type,
        case when {{ regexp_like('typed.currency', '^[A-Z]{3}$') }} then typed.currency end
            as currency,
        case when {{ is_word('typed.city') }} then typed.city end as city,
        case when {{ is_word('typed.state') }} then typed.state end as state,
        case when {{ is_word('typed.verification_result') }} then typed.verification_result end
            as verification_result,
        case when {{ is_word('typed.proof_type') }} then typed.proof_type end as proof_type
    from typed
    left join countries on typed.country = countries.country

),

pseudonymized as (

    select
        -- ids
        event_id,
        batch_id,
        line_number,
        payload_key,
        partner_id,
        {{ pseudonymize('claim_of_partner', 'claims.claim_id') }} as claim_key,
        {{ pseudonymize('customer_id', 'claims.customer_id') }} as customer_key,
        {{ pseudonymize('proof_id', 'claims.proof_id') }} as proof_key,

        -- what happened, to what claim
        event_type,
        claim_type,
        claim_amount,
        currency,
        city,
        state,
        country,
        customer_birth_year,

        -- what the ledger made of it
        processing_time_ms,
        fraud_score,
        verification_result,
        is_fraud,
        proof_type,
        api_endpoint,
        http_status,
        region,

        -- times
        occurred_at,
        ingested_at
    from named

)

select * from pseudonymized
