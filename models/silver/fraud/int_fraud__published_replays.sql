{{ config(materialized='table') }}

-- A replay of too few people is told nowhere. Each is told by itself: nothing adds up over several.
with

decisions as (

    select
        *,
        row_number() over (partition by scenario_id, transaction_key order by event_id) = 1
            as stands_for_transaction,
        case
            when score_delta >= 0.1 then '+0.1 or more'
            when score_delta > 0 then 'up to +0.1'
            when score_delta = 0 then 'none'
            when score_delta > -0.1 then 'up to -0.1'
            else '-0.1 or more'
        end as score_change
    from {{ ref('int_fraud__replayed_decisions') }}

),

scenarios as (

    select
        starts_on,
        scenario_id,
        {{ is_large_enough(
            'subject_key', var('k'), none, {'event_id': var('replay_decisions')}
        ) }} as is_published
    from decisions
    group by starts_on, scenario_id

),

named as (

    select
        decisions.*,
        scenarios.is_published
    from decisions
    inner join scenarios on {{ same('decisions', 'scenarios', ['starts_on', 'scenario_id']) }}

),

{{ told_outcomes('named', replay_outcomes(), 'subject_key', into='judged') }}

-- A sum says more of one person than a count does.
costs_of_people as (

    select
        starts_on,
        scenario_id,
        subject_key,
        sum(false_positive_cost_minor) as cost_minor,
        count(false_positive_cost_minor) as cost_rows,
        min(currency) as first_currency,
        max(currency) as last_currency
    from judged
    where is_published and false_positive_cost_minor is not null
    group by starts_on, scenario_id, subject_key

),

costs as (

    select
        starts_on,
        scenario_id,
        min(first_currency) = max(last_currency)
        and count(*) >= {{ var('k') }}
        and 2 * max(cost_minor) <= sum(cost_minor) as may_be_told
    from costs_of_people
    group by starts_on, scenario_id

),

published as (

    select
        judged.event_id,
        judged.starts_on,
        judged.scenario_id,
        judged.is_published,
        {%- for outcome in replay_outcomes() %}
            judged.{{ outcome }}_level,
        {%- endfor %}
        judged.stands_for_transaction,
        judged.transaction_key,
        judged.subject_key,
        judged.decision,
        judged.replay_decision,
        judged.score_change,
        judged.is_positive,
        judged.is_replay_positive,
        judged.is_fraud,
        judged.false_positive_cost_minor,
        judged.currency,
        judged.truth_level >= 1 and coalesce(costs.may_be_told, false) as has_cost
    from judged
    left join costs on {{ same('judged', 'costs', ['starts_on', 'scenario_id']) }}

)

select * from published
