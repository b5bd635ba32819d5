{{ config(
    materialized='incremental',
    incremental_strategy='renew',
    meta={'renews': {
        'days': 'period_start',
        'below': 'int_claims__published_claims',
        'day_below': 'claimed_on',
        'differ_by': 'labels',
    }}
) }}

{%- set keys = ['claimed_on', 'claim_type', 'currency'] %}

-- The only mart that tells amounts, each claim in one row of it: no other can be taken off it.
with

claims as (

    select *
    from {{ ref('int_claims__published_claims') }}
    where
        is_published
        and told_period = 'day'
        and {{ is_renewed('claimed_on') }}

),

{{ open_amounts(
    relation='claims',
    block=keys,
    subject='subject_key',
    amount='amount_minor'
) }}

days as (

    select
        claimed_on as period_start,
        claim_type,
        currency,
        count(*) as claims,
        case when currency != 'Other' then {{ shown_sum('amount_minor') }} end as amount_minor,
        case
            when currency != 'Other'
                then cast(
                    round({{ ratio(shown_sum('amount_minor'), 'count(amount_minor)') }}) as int64
                )
        end as claim_type_avg_amount,
        {{ shown_people('subject_key') }} as subjects,
        max(labelled_at) as updated_at
    from valued
    group by {{ keys | join(', ') }}

)

select * from days
