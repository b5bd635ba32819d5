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
        case
            when event_type != 'api_call' then 'none'
            when http_status between 100 and 199 then '1xx'
            when http_status between 200 and 299 then '2xx'
            when http_status between 300 and 399 then '3xx'
            when http_status between 400 and 499 then '4xx'
            when http_status between 500 and 599 then '5xx'
            else 'unknown'
        end as status_class,
        coalesce(api_endpoint, 'unknown') as api_endpoint,
        case when event_type = 'api_call' then processing_time_ms end as response_ms,
        coalesce(customer_key, claim_key) as subject_key
    from events

)

select * from api_calls
