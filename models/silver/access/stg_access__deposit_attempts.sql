{{ config(
    materialized='incremental',
    unique_key='event_id'
) }}

with

arrivals as (

    select * from {{ ref('int_access__deposit_attempt_arrivals') }}
    where verdict = 'kept' and is_new

),

deposit_attempts as (

    select * from {{ source('bronze', 'deposit_attempts') }}
    where {{ arrived_since(ref('int_access__deposit_attempt_arrivals')) }}

),

countries as (

    select * from {{ ref('countries') }}

),

default_fingerprints as (

    select spelling from {{ ref('vocabulary') }}
    where list_name = 'default_fingerprint'

),

reply_errors as (

    select * from {{ ref('int_access__deposit_reply_errors') }}

),

kept as (

    select
        deposit_attempts.*,
        arrivals.payload_key
    from deposit_attempts
    inner join arrivals
        on {{ same('deposit_attempts', 'arrivals', ['batch_id', 'line_number', 'event_id']) }}

),

cleaned as (

    select
        event_id,
        batch_id,
        line_number,
        payload_key,
        {{ utc_timestamp('timestamp') }} as attempted_at,
        {{ utc_timestamp('ingested_at') }} as ingested_at,
        status,
        {{ try_cast('duration', 'int64') }} as duration_ns,
        {{ try_cast('amount_minor', 'int64') }} as amount_minor,
        {{ host_name('domain') }} as domain,
        {{ spelling('method') }} as method,
        {{ spelling('provider') }} as provider,
        {{ capitals('currency') }} as currency,
        {{ capitals('geo') }} as geo,
        {{ squeezed('user_id') }} as user_id,
        {{ squeezed('email') }} as email,
        nullif({{ regexp_replace_all('phone', '[^0-9]+', '') }}, '') as phone,
        {{ squeezed('ip') }} as ip,
        {{ squeezed('fp') }} as fp
    from kept

),

-- Method, provider and currency name published cells, so whatever is no word is unknown.
described as (

    select
        cleaned.event_id,
        cleaned.batch_id,
        cleaned.line_number,
        cleaned.payload_key,
        cleaned.attempted_at,
        cleaned.ingested_at,
        cleaned.status,
        cleaned.duration_ns,
        cleaned.amount_minor,
        cleaned.domain,
        cleaned.user_id,
        cleaned.email,
        cleaned.phone,
        cleaned.ip,
        case
            when {{ is_word('cleaned.method') }} then cleaned.method
            else 'unknown'
        end as method,
        case
            when {{ is_word('cleaned.provider') }} then cleaned.provider
            else 'unknown'
        end as provider,
        case
            when {{ regexp_like('cleaned.currency', '^[A-Z]{3}$') }} then cleaned.currency
            else 'unknown'
        end as currency,
        coalesce(countries.country, 'unknown') as country,
        case
            when default_fingerprints.spelling is null and {{ spelling('cleaned.fp') }} is not null
                then cleaned.fp
        end as fp,
        case
            when cleaned.status = 'success' then 'none'
            else coalesce(reply_errors.error_code, 'unclassified')
        end as error_code
    from cleaned
    left join countries on cleaned.geo = countries.country
    left join default_fingerprints
        on {{ spelling('cleaned.fp') }} = default_fingerprints.spelling
    left join reply_errors
        on {{ same('cleaned', 'reply_errors', ['batch_id', 'line_number', 'event_id']) }}

),

pseudonymized as (

    select
        -- ids
        event_id,
        batch_id,
        line_number,
        payload_key,
        {{ pseudonymize('user_id', 'access.user_id') }} as user_key,
        {{ pseudonymize('email', 'access.email') }} as email_key,
        {{ pseudonymize('phone', 'access.phone') }} as phone_key,
        {{ pseudonymize('fp', 'access.fp') }} as fp_key,
        {{ pseudonymize('ip', 'access.ip') }} as ip_key,

        -- what was tried, and how it ended
        domain,
        method,
        provider,
        status,
        error_code,
        currency,
        amount_minor,
        duration_ns,

        -- derived facts about who tried
        country,

        -- times
        attempted_at,
        ingested_at
    from described

),

subjects as (

    select
        *,
        coalesce(email_key, phone_key, fp_key, ip_key) as subject_key
    from pseudonymized

)

select * from subjects
