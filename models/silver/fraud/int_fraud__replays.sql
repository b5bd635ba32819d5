{{ config(materialized='view') }}

{%- set known = [
    'thresholds', 'score', 'rules', 'modelVersion', 'model_version', 'ruleVersion', 'rule_version',
] -%}
{%- set numbers = ['decline', 'review', 'scale', 'offset'] -%}

{%- set expired = expired_to() -%}

-- What cannot be replayed as it was sent is not replayed at all, and `fault` says why.
with

scenarios as (

    select * from {{ ref('stg_fraud__replay_scenarios') }}

),

rules as (

    select
        scenario_id,
        min(case when is_valid then 1 else 0 end) = 1 as are_valid
    from {{ ref('int_fraud__replay_conditions') }}
    group by scenario_id

),

named as (

    select
        scenarios.scenario_id,
        entries.name
    from scenarios
    cross join {{ json_entries('scenarios.overrides', 'entries') }}

),

sent as (

    select
        scenario_id,
        {%- for field in ['thresholds', 'score', 'rules'] %}
            count(case when name = '{{ field }}' then 1 end) > 0 as has_{{ field }},
        {%- endfor %}
        count(case when name like 'model%' then 1 end) > 0 as has_model,
        count(case when name like 'rule%' and name != 'rules' then 1 end) > 0 as has_rule,
        count(
            case
                when
                    name not in (
                        {%- for field in known %}
                            '{{ field }}'{{ ',' if not loop.last }}
                        {%- endfor %}
                    )
                    then 1
            end
        ) > 0 as has_others
    from named
    group by scenario_id

),

typed as (

    select
        *,
        {%- for number in numbers %}
            {{ plain_number(number ~ '_text') }} as {{ number }}_number,
        {%- endfor %}
        {{ plain_version('model_text') }} as model_version,
        {{ plain_version('rule_text') }} as rule_version
    from scenarios

),

-- A number that was sent and is none is wrong; one that was not sent is null.
checked as (

    select
        typed.*,
        coalesce(sent.has_thresholds, false) as has_thresholds,
        coalesce(sent.has_score, false) as has_score,
        coalesce(sent.has_rules, false) as has_rules,
        coalesce(sent.has_others, false) as has_others,
        coalesce(typed.starts_at < typed.ends_at, false) as is_window,
        coalesce(rules.are_valid, false) as are_rules,
        (typed.model_version is not null or not coalesce(sent.has_model, false))
        and (typed.rule_version is not null or not coalesce(sent.has_rule, false))
            as are_versions,
        {%- for number in numbers %}
            (typed.{{ number }}_text is null) = (typed.{{ number }}_number is null)
                as is_{{ number }},
        {%- endfor %}
        coalesce(typed.decline_number, typed.review_number) is not null
        and coalesce(typed.decline_number, 1e0) between 0 and 1
        and coalesce(typed.review_number, 0e0) between 0 and coalesce(typed.decline_number, 1e0)
            as are_cutoffs
    from typed
    left join sent on typed.scenario_id = sent.scenario_id
    left join rules on typed.scenario_id = rules.scenario_id

),

replays as (

    select
        scenario_id,
        status,
        model_version,
        rule_version,
        decline_number as decline_from,
        review_number as review_from,
        starts_at,
        ends_at,
        {{ utc_day('starts_at') }} as starts_on,
        {{ utc_day('ends_at') }} as ends_on,
        coalesce(scale_number, 1e0) as score_scale,
        coalesce(offset_number, 0e0) as score_offset,
        case
            when not is_window then 'no_time_window'
            {%- if expired %}
                when {{ utc_day('starts_at') }} <= date '{{ expired }}' then 'expired'
            {%- endif %}
            when has_others then 'unknown_override'
            when not has_thresholds and not has_rules then 'nothing_overridden'
            when has_thresholds and not (is_decline and is_review and are_cutoffs)
                then 'wrong_thresholds'
            when
                has_score
                and (
                    not (has_thresholds and is_scale and is_offset)
                    or coalesce(scale_number, offset_number) is null
                    or scale_number < 0
                )
                then 'wrong_score'
            when has_rules and not are_rules then 'wrong_rules'
            when not are_versions then 'wrong_version'
        end as fault
    from checked

)

select * from replays
