{{ config(
    materialized='incremental',
    incremental_strategy='renew',
    meta={'renews': {
        'days': 'period_start',
        'below': 'int_claims__published_claims',
        'day_below': 'claimed_month',
        'differ_by': 'labels',
    }}
) }}

{%- set dimensions = ['region', 'claim_type', 'amount_bucket'] %}

with

claims as (

    select *
    from {{ ref('int_claims__published_claims') }}
    where
        is_published
        and {{ is_renewed('claimed_month') }}

),

counted as (

    {% for dimension in dimensions -%}
        {%- set keys = ['claimed_month', dimension] -%}
        select
            claimed_month as period_start,
            '{{ dimension }}' as dimension,
            {{ dimension }} as value,
            {{ claim_measures(keys) }},
            {{ told_part('suspicion', 'not is_fraud', keys, 'errors') }} as honest_claims,
            {{ told_part('suspicion', 'not is_fraud and is_flagged', keys, 'errors') }}
                as false_positives,
            {{ told_part('suspicion', 'is_fraud and not is_flagged', keys, 'errors') }}
                as false_negatives
        from claims
        group by claimed_month, {{ dimension }}
        {{ 'union all' if not loop.last }}
    {% endfor %}
),

rated as (

    select
        *,
        {{ ratio('flagged_claims', 'claims') }} as flag_rate,
        {{ ratio('(claims - flagged_claims)', 'claims') }} as pass_rate
    from counted

),

compared as (

    select
        *,
        {{ ratio('pass_rate', 'max(pass_rate) over (partition by period_start, dimension)') }}
            as ratio_to_best
    from rated

),

months as (

    select
        period_start,
        dimension,
        value,
        claims,
        flag_rate,
        {{ ratio('false_positives', 'honest_claims') }} as false_positive_rate,
        {{ ratio('false_negatives', 'confirmed_fraud') }} as false_negative_rate,
        ratio_to_best,
        case
            when pass_rate is not null
                then coalesce(ratio_to_best < {{ var('bias_ratio') }}, true)
        end as is_flagged,
        subjects,
        updated_at
    from compared

)

select * from months
