{{ config(materialized='table') }}

{% for fact in metric_facts() -%}
-- depends_on: {{ ref(fact) }}
{% endfor %}
-- The calendar of the semantic models: every hour of the days that any fact publishes.
with

known as (

    {% for fact in metric_contract() %}
        select
            min({{ fact.day }}) as first_day,
            max({{ fact.day }}) as last_day
        from {{ ref(fact.model) }}
        where is_published
        {{ 'union all' if not loop.last }}
    {% endfor %}
),

span as (

    select
        cast(min(first_day) as timestamp) as first_hour,
        cast(max(last_day) as timestamp) + interval 23 hour as last_hour
    from known

),

hours as (

    {{ hours_between('span', 'first_hour', 'last_hour') }}

)

select * from hours
