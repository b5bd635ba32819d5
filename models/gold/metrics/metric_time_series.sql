{{ config(
    materialized='incremental',
    incremental_strategy='renew',
    meta={'renews': {'facts': 'metric_facts'}}
) }}

{%- set changed = changed_periods() %}

{% for fact in metric_facts() -%}
-- depends_on: {{ ref(fact) }}
{% endfor -%}
-- depends_on: {{ ref('int_metrics__hours') }}

with

figures as (

    {% for fact in metric_contract() %}
        select * from (
            {{ metric_figures(fact, changed.get(fact.model)) }}
        ) as {{ fact.model }}
        {{ 'union all' if not loop.last }}
    {% endfor %}
),

named as (

    select
        *,
        cast({{ utc_day('period_start') }} as string) as day_text,
        lpad(cast(extract(hour from period_start) as string), 2, '0') as hour_text
    from figures

),

series as (

    select
        metric_name || '/' || period || '/' || day_text
        || case when period = 'hour' then 'T' || hour_text else '' end
        || case
            when dimension = 'total' then '' else '/' || dimension || '=' || dimension_value
        end as id,
        metric_name,
        period as granularity,
        period_start,
        -- As the interface calls it.
        period_start as timestamp,  -- noqa: RF04
        case
            when dimension = 'total' then '{}'
            else '{"' || dimension || '":' || {{ json_text('dimension_value') }} || '}'
        end as dimensions,
        dimension,
        dimension_value,
        value,
        subjects,
        is_complete,
        updated_at
    from named

)

select * from series
