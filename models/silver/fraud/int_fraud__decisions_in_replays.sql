{{ config(materialized='view') }}

-- Decisions without a customer or device count nobody, so they are not replayed.
with

decisions as (

    select * from {{ ref('int_fraud__decisions') }}
    where subject_key is not null

),

replays as (

    select * from {{ ref('int_fraud__replays') }}
    where fault is null

),

placed as (

    select
        decisions.event_id,
        replays.scenario_id,
        replays.starts_on,
        decisions.transaction_key,
        decisions.subject_key,
        decisions.decision,
        decisions.is_positive,
        decisions.is_fraud,
        decisions.false_positive_cost_minor,
        decisions.currency,
        decisions.final_score,
        replays.decline_from,
        replays.review_from,
        coalesce(replays.rule_version, decisions.rule_version) = decisions.rule_version
            as has_rules,
        case
            when coalesce(replays.model_version, decisions.model_version) = decisions.model_version
                then decisions.final_score * replays.score_scale + replays.score_offset
            else decisions.final_score
        end as new_score
    from decisions
    inner join replays
        on
            decisions.decided_at >= replays.starts_at
            and decisions.decided_at < replays.ends_at

),

decisions_in_replays as (

    select
        event_id,
        scenario_id,
        starts_on,
        transaction_key,
        subject_key,
        decision,
        is_positive,
        is_fraud,
        false_positive_cost_minor,
        currency,
        final_score,
        decline_from,
        review_from,
        has_rules,
        case
            when new_score < 0 then 0e0
            when new_score > 1 then 1e0
            else new_score
        end as replay_score
    from placed

)

select * from decisions_in_replays
