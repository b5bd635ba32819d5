{{ config(materialized='table') }}

{#- Figures of `metric_time_series`, by the dimensions that they are told by here. -#}
{%- set of_metrics = {
    'revenue_minor': {'total': 'ngr', 'brand': 'ngr'},
    'active_people': {'total': 'active_users', 'brand': 'active_players'},
} %}
{%- set names = [] %}
{%- for metrics in of_metrics.values() %}
    {%- do names.extend(metrics.values()) %}
{%- endfor %}
{%- set of_claims = ['claims', 'flagged_claims', 'confirmed_fraud', 'losses_prevented'] %}
{%- set measures = of_metrics | list + of_claims %}
{%- set row = ['period_start', 'brand', 'currency'] %}

-- Made of what is told anyway, and is kept as long as gold.
with

told_metrics as (

    select
        *,
        {{ utc_day('period_start') }} as told_month
    from {{ ref('metric_time_series') }}
    where granularity = 'month' and dimension in ('total', 'brand')

),

claim_totals as (

    {% if is_built('claims') -%}
        select * from {{ ref('int_claims__monthly_totals') }}
    {%- else -%}
        select
            cast(null as date) as period_start,
            cast(null as string) as currency,
            {%- for name in of_claims %}
                cast(null as int64) as {{ name }},
            {%- endfor %}
            cast(null as timestamp) as updated_at
        from (select 1 as nothing) as no_claims
        where false
    {%- endif %}

),

-- Metrics are in euro.
people_and_money as (

    select
        told_month as period_start,
        dimension_value as brand,
        'EUR' as currency,
        {%- for name, metrics in of_metrics.items() %}
            max(
                case
                    {%- for dimension, metric in metrics.items() %}
                        when dimension = '{{ dimension }}' and metric_name = '{{ metric }}'
                            then cast(value as int64)
                    {%- endfor %}
                end
            ) as {{ name }},
        {%- endfor %}
        max(updated_at) as updated_at
    from told_metrics
    where
        metric_name in (
            {%- for name in names %}
                '{{ name }}'{{ ',' if not loop.last }}
            {%- endfor %}
        )
    group by told_month, dimension_value

),

claims as (

    select
        *,
        'all' as brand
    from claim_totals

),

joined as (

    select
        {%- for name in of_metrics %}
            people_and_money.{{ name }},
        {%- endfor %}
        {%- for name in of_claims %}
            claims.{{ name }},
        {%- endfor %}
        {%- for column in row %}
            coalesce(people_and_money.{{ column }}, claims.{{ column }}) as {{ column }},
        {%- endfor %}
        coalesce(
            greatest(people_and_money.updated_at, claims.updated_at),
            people_and_money.updated_at,
            claims.updated_at
        ) as updated_at
    from people_and_money
    full outer join claims on {{ same('people_and_money', 'claims', row) }}

),

followed as (

    select
        *,
        period_start < max(period_start) over () as is_complete,
        {%- for name in measures %}
            lag({{ name }}) over in_order as previous_{{ name }},
        {%- endfor %}
        lag(period_start) over in_order as previous_month
    from joined
    window in_order as (partition by brand, currency order by period_start)

),

compared as (

    select
        *,
        {%- for name in measures %}
            {{ name }} - previous_{{ name }} as change_of_{{ name }},
        {%- endfor %}
        is_complete and {{ date_distance('previous_month', 'period_start', 'month') }} = 1
            as is_compared
    from followed

),

months as (

    select
        {{ row | join(', ') }},
        {%- for name in measures %}
            {{ name }},
            case
                when is_compared and previous_{{ name }} > 0
                    then {{ ratio('100 * change_of_' ~ name, 'previous_' ~ name) }}
            end as {{ name }}_change_percent,
        {%- endfor %}
        is_complete,
        updated_at
    from compared

)

select * from months
