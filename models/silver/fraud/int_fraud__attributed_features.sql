{{ config(
    materialized='incremental',
    incremental_strategy='renew',
    meta={'renews': {'events': 'int_fraud__attribution_arrivals'}}
) }}

with

arrivals as (

    select * from {{ ref('int_fraud__attribution_arrivals') }}
    where verdict = 'kept' and is_new

),

fraud_attributions as (

    select * from {{ source('bronze', 'fraud_attributions') }}
    where {{ arrived_since(ref('int_fraud__attribution_arrivals')) }}

),

listed as (

    select
        fraud_attributions.event_id,
        fraud_attributions.batch_id,
        fraud_attributions.method,
        fraud_attributions.ingested_at,
        listing.place,
        {{ json_texts('listing.element', ['$.feature', '$.contribution', '$.value']) }} as texts
    from fraud_attributions
    inner join arrivals
        on {{ same('fraud_attributions', 'arrivals', ['batch_id', 'line_number', 'event_id']) }}
    cross join {{ json_elements(valid_json('fraud_attributions.contributions'), 'listing') }}

),

named as (

    select
        event_id,
        batch_id,
        method,
        place,
        {{ plain_name(list_item('texts', 1)) }} as feature,
        {{ plain_number(list_item('texts', 2)) }} as contribution,
        {{ plain_number(list_item('texts', 3)) }} as number_value,
        {{ utc_timestamp('ingested_at') }} as ingested_at
    from listed

),

-- Of a feature that is told twice the first counts.
numbered as (

    select
        *,
        row_number() over (partition by event_id, feature order by place) as place_of_feature
    from named
    where feature is not null and contribution is not null

),

features as (

    select
        event_id,
        batch_id,
        method,
        feature,
        contribution,
        number_value,
        ingested_at
    from numbered
    where place_of_feature = 1

)

select * from features
