{{ config(
    materialized='incremental',
    unique_key='event_id'
) }}

with

arrivals as (

    select * from {{ ref('int_access__attempt_arrivals') }}
    where verdict = 'kept' and is_new

),

attempts as (

    select * from {{ source('bronze', 'attempts') }}
    where {{ arrived_since(ref('int_access__attempt_arrivals')) }}

),

countries as (

    select * from {{ ref('countries') }}

),

phone_prefixes as (

    select * from {{ ref('phone_prefixes') }}

),

default_fingerprints as (

    select spelling from {{ ref('vocabulary') }}
    where list_name = 'default_fingerprint'

),

reply_errors as (

    select * from {{ ref('int_access__reply_errors') }}

),

kept as (

    select
        attempts.*,
        arrivals.payload_key
    from attempts
    inner join arrivals
        on {{ same('attempts', 'arrivals', ['batch_id', 'line_number', 'event_id']) }}

),

cleaned as (

    select
        event_id,
        batch_id,
        line_number,
        payload_key,
        {{ utc_timestamp('timestamp') }} as attempted_at,
        {{ utc_timestamp('ingested_at') }} as ingested_at,
        action,
        status,
        {{ try_cast('duration', 'int64') }} as duration_ns,
        {{ host_name('domain') }} as domain,
        {{ capitals('geo') }} as geo,
        {{ capitals('country') }} as registered_country,
        {{ capitals('currency') }} as currency,
        {{ squeezed('email') }} as email,
        nullif({{ regexp_replace_all('phone', '[^0-9]+', '') }}, '') as phone,
        {{ squeezed('ip') }} as ip,
        {{ squeezed('fp') }} as fp
    from kept

),

phones as (

    select distinct phone
    from cleaned
    where phone is not null

),

phone_countries as (

    select
        phones.phone,
        phone_prefixes.country as phone_country
    from phones
    inner join phone_prefixes on starts_with(phones.phone, phone_prefixes.prefix)
    qualify
        row_number() over (
            partition by phones.phone order by length(phone_prefixes.prefix) desc
        ) = 1

),

described as (

    select
        cleaned.event_id,
        cleaned.batch_id,
        cleaned.line_number,
        cleaned.payload_key,
        cleaned.attempted_at,
        cleaned.ingested_at,
        cleaned.action,
        cleaned.status,
        cleaned.duration_ns,
        cleaned.domain,
        cleaned.email,
        cleaned.phone,
        cleaned.ip,
        coalesce(countries.country, 'unknown') as country,
        registered_countries.country as registered_country,
        phone_countries.phone_country,
        case when {{ regexp_like('cleaned.currency', '^[A-Z]{3}$') }} then cleaned.currency end
            as currency,
        case
            when default_fingerprints.spelling is null and {{ spelling('cleaned.fp') }} is not null
                then cleaned.fp
        end as fp,
        case
            when strpos(cleaned.email, '@') > 0
                then {{ regexp_replace_all('cleaned.email', '^.*@', '') }}
        end as email_domain,
        case
            when cleaned.status = 'success' then 'none'
            else reply_errors.error_code
        end as error_code,
        case
            when cleaned.status = 'success' then 'none'
            else reply_errors.field
        end as field
    from cleaned
    left join countries on cleaned.geo = countries.country
    left join countries as registered_countries
        on cleaned.registered_country = registered_countries.country
    left join phone_countries on cleaned.phone = phone_countries.phone
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
        {{ pseudonymize('email', 'access.email') }} as email_key,
        {{ pseudonymize('phone', 'access.phone') }} as phone_key,
        {{ pseudonymize('fp', 'access.fp') }} as fp_key,
        {{ pseudonymize('ip', 'access.ip') }} as ip_key,

        -- what was tried, and how it ended
        domain,
        action,
        status,
        coalesce(error_code, 'unclassified') as error_code,
        coalesce(field, 'none') as field,
        duration_ns,

        -- derived facts about who tried
        email_domain,
        phone_country,
        country,
        registered_country,
        currency,

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
