{{ config(materialized='table') }}

{%- set of_rule = ['$.id', '$.action'] -%}
{%- set of_condition = ['$.feature', '$.operator', '$.value'] -%}
{%- set actions = {'approve': 'approved', 'decline': 'declined', 'review': 'review'} -%}

-- A rule is data: each of its conditions is a row, and nothing that was sent is ever run. Texts are
-- hashed as those of features are.
with

scenarios as (

    select * from {{ ref('stg_fraud__replay_scenarios') }}

),

rules as (

    select
        scenarios.scenario_id,
        listing.place as rule_number,
        listing.element as rule_json,
        {{ json_texts('listing.element', of_rule) }} as texts
    from scenarios
    cross join {{ json_elements('scenarios.overrides', 'listing', '$.rules') }}

),

listed as (

    {% for combination in ['all', 'any'] -%}
        select
            rules.scenario_id,
            rules.rule_number,
            '{{ combination }}' as combination,
            listing.place as condition_number,
            {{ json_texts('listing.element', of_condition) }} as texts
        from rules
        cross join {{ json_elements('rules.rule_json', 'listing', '$.' ~ combination) }}
        {{ 'union all' if not loop.last }}
    {% endfor %}
),

spelled_rules as (

    select
        scenario_id,
        rule_number,
        {{ plain_name(first_text('texts', of_rule, of_rule[:1])) }} as rule_id,
        {{ spelling(first_text('texts', of_rule, of_rule[1:2])) }} as action_word
    from rules

),

spelled as (

    select
        scenario_id,
        rule_number,
        combination,
        condition_number,
        {{ plain_name(first_text('texts', of_condition, of_condition[:1])) }} as feature,
        {{ squeezed(first_text('texts', of_condition, of_condition[1:2])) }} as comparison,
        {{ squeezed(first_text('texts', of_condition, of_condition[2:3])) }} as value_text
    from listed

),

valued as (

    select
        *,
        {{ plain_number('value_text') }} as number_value
    from spelled

),

parted as (

    select
        *,
        case when number_value is null then value_text end as word
    from valued

),

-- A rule without conditions has a row too, which says that it is wrong.
joined as (

    select
        spelled_rules.scenario_id,
        spelled_rules.rule_number,
        spelled_rules.rule_id,
        parted.combination,
        parted.feature,
        parted.comparison,
        parted.number_value,
        parted.word,
        coalesce(parted.condition_number, -1) as condition_number,
        case spelled_rules.action_word
            {%- for action, decision in actions.items() %}
                when '{{ action }}' then '{{ decision }}'
            {%- endfor %}
        end as decision,
        min(parted.combination) over of_rule = max(parted.combination) over of_rule
            as is_one_combination
    from spelled_rules
    left join parted
        on {{ same('spelled_rules', 'parted', ['scenario_id', 'rule_number']) }}
    window of_rule as (
        partition by spelled_rules.scenario_id, spelled_rules.rule_number
    )

),

conditions as (

    select
        scenario_id,
        rule_number,
        rule_id,
        decision,
        combination,
        condition_number,
        feature,
        comparison,
        number_value,
        {{ pseudonymize('word', 'fraud.feature_value') }} as text_key,
        coalesce(
            rule_id is not null
            and decision is not null
            and is_one_combination
            and feature is not null
            and (
                (comparison in ('=', '!=') and (number_value is not null or word is not null))
                or (comparison in ('<', '<=', '>', '>=') and number_value is not null)
                or (comparison in ('missing', 'present') and number_value is null and word is null)
            ),
            false
        ) as is_valid
    from joined

)

select * from conditions
