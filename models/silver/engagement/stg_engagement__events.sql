{{ config(
    materialized='incremental',
    unique_key='event_id'
) }}

{%- set fields = payload_fields() %}

with

arrivals as (

    select * from {{ ref('int_engagement__event_arrivals') }}
    where verdict = 'kept' and is_new

),

events as (

    select * from {{ source('bronze', 'platform_events') }}
    where {{ arrived_since(ref('int_engagement__event_arrivals')) }}

),

kept as (

    select
        events.*,
        arrivals.payload_key,
        {{ valid_json('events.payload') }} as valid_payload
    from events
    inner join arrivals
        on {{ same('events', 'arrivals', ['batch_id', 'line_number', 'event_id']) }}

),

-- All fields of all types in one extraction: an event has values in those of its own type.
read_payloads as (

    select
        *,
        {{ payload_texts('valid_payload', fields) }} as texts
    from kept

),

typed as (

    select
        event_id,
        batch_id,
        line_number,
        payload_key,
        event_type,
        nullif(trim(schema_version, ' '), '') as schema_version,
        nullif(trim(tenant_id, ' '), '') as tenant_id,
        {{ squeezed('region') }} as region,
        nullif(trim(user_id, ' '), '') as user_id,
        {{ utc_timestamp('occurred_at') }} as occurred_at,
        {{ utc_timestamp('ingested_at') }} as ingested_at,
        {{ utc_timestamp('sent_ingested_at') }} as sent_ingested_at,
        {{ payload_values('texts', fields) }}
    from read_payloads

),

pseudonymized as (

    select
        -- ids
        event_id,
        batch_id,
        line_number,
        payload_key,
        {{ pseudonymize('user_id', 'engagement.user_id') }} as user_key,

        -- what happened, and where
        event_type,
        schema_version,
        tenant_id,
        region,

        -- times
        occurred_at,
        ingested_at,
        sent_ingested_at,

        -- what the event registry declares of payloads
        {{ payload_columns(fields, 'engagement') }}
    from typed

)

select * from pseudonymized
