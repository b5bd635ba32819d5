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
        fraud_attributions.ingested_at,
        listing.element,
        listing.place,
        {{ json_texts('listing.element', ['$.ruleId', '$.rule_id', '$.fired', '$.score']) }}
            as texts
    from fraud_attributions
    inner join arrivals
        on {{ same('fraud_attributions', 'arrivals', ['batch_id', 'line_number', 'event_id']) }}
    cross join {{ json_elements(valid_json('fraud_attributions.rule_trace'), 'listing') }}

),

looked_at as (

    select
        listed.event_id,
        listed.place,
        {{ json_texts('parts.element', ['$.matched']) }} as texts
    from listed
    cross join {{ json_elements('listed.element', 'parts', path='$.conditions') }}

),

condition_counts as (

    select
        event_id,
        place,
        count(*) as conditions,
        count(case when {{ list_item('texts', 1) }} = 'true' then 1 end) as conditions_matched
    from looked_at
    group by event_id, place

),

spelled as (

    select
        *,
        coalesce({{ list_item('texts', 1) }}, {{ list_item('texts', 2) }}) as rule_name
    from listed

),

named as (

    select
        spelled.event_id,
        spelled.batch_id,
        spelled.place,
        {{ plain_name('spelled.rule_name') }} as rule_id,
        {{ plain_number(list_item('spelled.texts', 4)) }} as score,
        {{ utc_timestamp('spelled.ingested_at') }} as ingested_at,
        coalesce({{ list_item('spelled.texts', 3) }} = 'true', false) as has_fired,
        coalesce(condition_counts.conditions, 0) as conditions,
        coalesce(condition_counts.conditions_matched, 0) as conditions_matched
    from spelled
    left join condition_counts on {{ same('spelled', 'condition_counts', ['event_id', 'place']) }}

),

-- Of a rule that is told twice the first counts.
numbered as (

    select
        *,
        row_number() over (partition by event_id, rule_id order by place) as place_of_rule
    from named
    where rule_id is not null

),

traces as (

    select
        event_id,
        batch_id,
        rule_id,
        has_fired,
        score,
        conditions,
        conditions_matched,
        ingested_at
    from numbered
    where place_of_rule = 1

)

select * from traces
