{{ config(
    materialized='incremental',
    incremental_strategy='renew',
    meta={'renews': {
        'days': 'called_on',
        'below': 'int_claims__api_calls',
        'day_below': utc_day('occurred_at'),
        'differ_by': 'batches',
    }}
) }}

-- A partner is a company, and an endpoint is ours: 100 calls of a partner may be told, whoever they
-- were about. The hour comes last, within a partner's calls of one class: so hours of all partners
-- are made of whole blocks, and none follows from a day less its hours.
with

api_calls as (

    select
        event_id,
        batch_id,
        {{ utc_day('occurred_at') }} as called_on,
        {{ utc_hour('occurred_at') }} as called_hour,
        partner_id,
        api_endpoint,
        status_class,
        is_call,
        is_success,
        http_status,
        verification_result,
        response_ms,
        subject_key
    from {{ ref('int_claims__api_calls') }}
    where {{ is_renewed(utc_day('occurred_at')) }}

),

{{ published_blocks(
    relation='api_calls',
    subject='subject_key',
    keys=['called_on'],
    labels=['partner_id', 'api_endpoint', 'status_class'],
    hour='called_hour',
    safe_rows=var('safe_rows')
) }}

published as (

    select
        event_id,
        batch_id,
        called_on,
        published_partner_id as partner_id,
        published_api_endpoint as api_endpoint,
        published_status_class as status_class,
        published_called_hour as called_hour,
        is_published,
        is_call,
        is_success,
        http_status,
        verification_result,
        response_ms,
        subject_key,
        {{ now_utc() }} as labelled_at
    from blocks

)

select * from published
