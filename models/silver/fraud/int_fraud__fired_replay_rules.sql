{{ config(materialized='view') }}

{%- set compared = ['<', '<=', '>', '>='] -%}

-- Conditions are rows that are compared with the rows of features.
with

decisions as (

    select * from {{ ref('int_fraud__decisions_in_replays') }}
    where has_rules

),

conditions as (

    select * from {{ ref('int_fraud__replay_conditions') }}

),

feature_values as (

    select * from {{ ref('int_fraud__feature_values') }}

),

asked as (

    select
        decisions.event_id,
        decisions.scenario_id,
        conditions.rule_number,
        conditions.decision as ruled,
        conditions.combination,
        conditions.comparison,
        conditions.number_value as wanted_number,
        conditions.text_key as wanted_key,
        feature_values.number_value,
        feature_values.text_key,
        feature_values.number_value is not null
        or feature_values.text_key is not null as is_present
    from decisions
    inner join conditions on decisions.scenario_id = conditions.scenario_id
    left join feature_values
        on
            decisions.event_id = feature_values.event_id
            and conditions.feature = feature_values.feature

),

equated as (

    select
        *,
        is_present
        and (
            coalesce(number_value = wanted_number, false)
            or coalesce(text_key = wanted_key, false)
        ) as is_equal
    from asked

),

-- Of what is missing nothing is true but that it is.
answered as (

    select
        *,
        case
            when comparison = 'missing' then not is_present
            when comparison = 'present' then is_present
            when comparison = '=' then is_equal
            when comparison = '!=' then is_present and not is_equal
            {%- for sign in compared %}
                when comparison = '{{ sign }}'
                    then coalesce(number_value {{ sign }} wanted_number, false)
            {%- endfor %}
            else false
        end as is_met
    from equated

),

counted as (

    select
        event_id,
        scenario_id,
        rule_number,
        ruled,
        combination,
        count(*) as all_conditions,
        count(case when is_met then 1 end) as conditions_met
    from answered
    group by event_id, scenario_id, rule_number, ruled, combination

),

fired as (

    select
        *,
        row_number() over (partition by event_id, scenario_id order by rule_number) as place
    from counted
    where conditions_met = all_conditions or (combination = 'any' and conditions_met > 0)

),

fired_replay_rules as (

    select
        event_id,
        scenario_id,
        rule_number,
        ruled as decision
    from fired
    where place = 1

)

select * from fired_replay_rules
