{{ config(
    materialized='incremental',
    incremental_strategy='renew',
    meta={'renews': {
        'days': 'period_start',
        'below': 'int_platform__landings',
        'day_below': month_start('landed_on'),
        'differ_by': 'labels',
    }}
) }}

{%- set row = ['period_start', 'domain'] %}
{%- set counts = ['accepted', 'refused'] %}
{%- for name in refusal_classes() %}
    {%- do counts.append('refused_' ~ name) %}
{%- endfor %}

-- Kept as long as gold, which silver by the batch is not.
with

landings as (

    select
        *,
        {{ month_start('landed_on') }} as period_start,
        {{ domain_of('table_name') }} as domain
    from {{ ref('int_platform__landings') }}
    where {{ is_renewed(month_start('landed_on')) }}

),

ranked as (

    select
        *,
        {{ percentile('delay_seconds', 0.95, row) }} as p95_delay_seconds
    from landings

),

months as (

    select
        {{ row | join(', ') }},
        {%- for name in counts %}
            cast(sum({{ name }}) as int64) as {{ name }},
        {%- endfor %}
        cast(round(any_value(p95_delay_seconds)) as int64) as freshness_p95_seconds,
        max(labelled_at) as updated_at
    from ranked
    group by {{ row | join(', ') }}

)

select * from months
