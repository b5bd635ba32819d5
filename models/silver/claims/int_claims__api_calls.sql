{{ config(materialized='view') }}

-- Calls of the API and verifications: what a partner asked, and what it was told.
with

events as (

    select * from {{ ref('stg_claims__claim_events') }}
    where event_type in ('api_call', 'claim_verified')

),

api_calls as (

    select
        event_id,
        batch_id,
        partner_id,
        http_status,
        verification_result,
        occurred_at,
        event_type = 'api_call' as is_call,
        event_type = 'api_call' and http_status < 400 as is_success,
        coalesce(api_endpoint, 'unknown') as api_endpoint,
        case when event_type = 'api_call' then processing_time_ms end as response_ms,
        coalesce(customer_key, claim_key) as subject_key
    from events

)

select * from api_calls
