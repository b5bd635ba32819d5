{{ config(materialized='view') }}

with

decisions as (

    select * from {{ ref('int_fraud__decisions') }}

),

rule_traces as (

    select * from {{ ref('int_fraud__rule_traces') }}

),

fired as (

    select
        event_id,
        count(*) as rules_fired
    from rule_traces
    where has_fired
    group by event_id

),

evaluated as (

    select
        rule_traces.event_id,
        decisions.batch_id || '+' || rule_traces.batch_id as batch_id,
        decisions.rule_version,
        rule_traces.rule_id,
        rule_traces.has_fired,
        rule_traces.score,
        rule_traces.conditions,
        rule_traces.conditions_matched,
        decisions.is_fraud,
        decisions.label_kind,
        decisions.transaction_key,
        decisions.subject_key,
        {{ utc_day('decisions.decided_at') }} as decided_on,
        rule_traces.has_fired and fired.rules_fired > 1 as has_fired_with_others
    from rule_traces
    inner join decisions on rule_traces.event_id = decisions.event_id
    left join fired on rule_traces.event_id = fired.event_id

)

select * from evaluated
