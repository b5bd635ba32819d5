{{ config(
    materialized='incremental',
    incremental_strategy='renew',
    meta={'renews': {
        'days': utc_day('period_start'),
        'below': 'int_gaming__published_payments',
        'day_below': 'begun_on',
        'differ_by': 'labels',
    }}
) }}

{%- set keys = ['period_start', 'brand', 'region', 'method', 'currency', 'device'] %}

with

payments as (

    select
        *,
        published_hour as period_start
    from {{ ref('int_gaming__published_payments') }}
    where
        is_published
        and published_hour is not null
        and {{ is_renewed('begun_on') }}

),

hours as (

    select
        {{ keys | join(', ') }},
        count(*) as intents,
        count(case when is_captured then 1 end) as captured,
        count(case when is_failed then 1 end) as failed,
        {{ shown_part('is_refunded', 'is_captured', 'user_key') }} as refunded,
        {{ shown_sum('captured_minor') }} as amount_minor,
        {{ deposits_success() }} as deposits_success,
        {{ shown_people('user_key') }} as subjects,
        max(labelled_at) as updated_at
    from payments
    group by {{ keys | join(', ') }}

)

select * from hours
