{{ config(
    materialized='incremental',
    incremental_strategy='renew',
    meta={'renews': {'events': 'int_fraud__decision_arrivals'}}
) }}

{%- set none_of = 'cast(null as string)' %}
{%- set objects = {
    'features': ['fields.text', none_of],
    'feature_attributions': [none_of, 'fields.text'],
} %}

with

arrivals as (

    select * from {{ ref('int_fraud__decision_arrivals') }}
    where verdict = 'kept' and is_new

),

fraud_decisions as (

    select * from {{ source('bronze', 'fraud_decisions') }}
    where {{ arrived_since(ref('int_fraud__decision_arrivals')) }}

),

kept as (

    select
        fraud_decisions.event_id,
        fraud_decisions.batch_id,
        fraud_decisions.ingested_at,
        {{ valid_json('fraud_decisions.features') }} as features,
        {{ valid_json('fraud_decisions.feature_attributions') }} as feature_attributions
    from fraud_decisions
    inner join arrivals
        on {{ same('fraud_decisions', 'arrivals', ['batch_id', 'line_number', 'event_id']) }}

),

told as (

    {% for object, columns in objects.items() -%}
        select
            kept.event_id,
            kept.batch_id,
            kept.ingested_at,
            fields.name,
            {{ columns[0] }} as value_text,
            {{ columns[1] }} as contribution_text
        from kept
        cross join {{ json_entries('kept.' ~ object, 'fields') }}
        {{ 'union all' if not loop.last }}
    {% endfor %}
),

named as (

    select
        event_id,
        batch_id,
        {{ plain_name('name') }} as feature,
        {{ utc_timestamp('ingested_at') }} as ingested_at,
        {{ squeezed('value_text') }} as value_text,
        {{ plain_number('contribution_text') }} as contribution
    from told

),

merged as (

    select
        event_id,
        batch_id,
        feature,
        ingested_at,
        max(value_text) as value_text,
        max(contribution) as contribution
    from named
    where feature is not null
    group by event_id, batch_id, feature, ingested_at

),

valued as (

    select
        *,
        {{ plain_number('value_text') }} as number_value
    from merged

),

parted as (

    select
        *,
        case when number_value is null then value_text end as word
    from valued

),

feature_values as (

    select
        event_id,
        batch_id,
        feature,
        number_value,
        {{ pseudonymize('word', 'fraud.feature_value') }} as text_key,
        contribution,
        ingested_at
    from parted

)

select * from feature_values
