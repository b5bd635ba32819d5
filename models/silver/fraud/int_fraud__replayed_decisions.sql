{{ config(materialized='view') }}

{%- set positives = "'" ~ var('fraud_positives') | join("', '") ~ "'" -%}

-- History is read, never changed. The first rule that fires decides, else the thresholds, else it
-- stays as it was.
with

decisions as (

    select * from {{ ref('int_fraud__decisions_in_replays') }}

),

fired_rules as (

    select * from {{ ref('int_fraud__fired_replay_rules') }}

),

decided as (

    select
        decisions.*,
        case
            when fired_rules.decision is not null then fired_rules.decision
            when decisions.replay_score >= decisions.decline_from then 'declined'
            when decisions.replay_score >= decisions.review_from then 'review'
            when coalesce(decisions.decline_from, decisions.review_from) is not null
                then 'approved'
            else decisions.decision
        end as replay_decision
    from decisions
    left join fired_rules
        on {{ same('decisions', 'fired_rules', ['event_id', 'scenario_id']) }}

),

replayed as (

    select
        event_id,
        scenario_id,
        starts_on,
        transaction_key,
        subject_key,
        decision,
        replay_decision,
        is_positive,
        is_fraud,
        false_positive_cost_minor,
        currency,
        replay_decision in ({{ positives }}) as is_replay_positive,
        replay_score - final_score as score_delta
    from decided

)

select * from replayed
