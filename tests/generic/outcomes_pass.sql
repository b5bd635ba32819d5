{#-
    Of each outcome, every class in which rows are told may be told: recounted from the rows.
    `outcomes` says whose they are. Says how many classes fail, never which.
-#}
{% test outcomes_pass(model, subject, outcomes='claims') %}
{{ config(fail_calc='coalesce(sum(classes_too_small), 0)') }}

with

{% set told_outcomes = {
    'claims': claim_outcomes(), 'decisions': decision_outcomes(), 'cohorts': cohort_outcomes(),
    'contributions': contribution_outcomes(), 'rules': rule_outcomes(),
    'features': feature_outcomes(),
    'experiments': experiment_outcomes(), 'replays': replay_outcomes(),
}[outcomes] -%}
{% for outcome, told in told_outcomes.items() -%}
{%- set level = outcome ~ '_level' -%}
{%- set class = [level] -%}
{%- for columns in told.levels -%}
    {%- set depth = loop.index -%}
    {%- for column in columns -%}
        {%- do class.append('case when ' ~ level ~ ' >= ' ~ depth ~ ' then ' ~ column ~ ' end') -%}
    {%- endfor -%}
{%- endfor -%}
{{ outcome }}_classes as (

    select {{ counts_of_values(told['values'], told.alike or [], subject) }}
    from {{ model }}
    where {{ level }} > 0
    group by {{ class | join(', ') }}

),

{{ outcome }}_violations as (

    select row_total from {{ outcome }}_classes
    where not ({{ values_pass(told['values'], told.alike or [], var('k')) }})

),

{% endfor -%}
violations as (

    {% for outcome in told_outcomes -%}
    select row_total from {{ outcome }}_violations
    {{ 'union all' if not loop.last }}
    {% endfor %}
)

select count(*) as classes_too_small from violations
having count(*) > 0

{% endtest %}
