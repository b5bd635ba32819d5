{{ config(
    materialized='incremental',
    incremental_strategy='renew',
    meta={'renews': {
        'days': 'period_start',
        'below': 'int_gaming__published_payments',
        'day_below': 'begun_on',
        'differ_by': 'labels',
    }}
) }}

{%- set keys = ['period_start', 'brand', 'region', 'method'] %}

-- Each intent is a try; the steps after it may be those of another payment of the same day and
-- labels.
with

published as (

    select * from {{ ref('int_gaming__published_payments') }}
    where
        is_published
        and {{ is_renewed('begun_on') }}

),

payments as (

    select * from {{ ref('int_gaming__payments') }}

),

labelled as (

    select
        published.event_id,
        published.begun_on as period_start,
        published.brand,
        published.region,
        published.method,
        published.user_key,
        payments.intent_at,
        payments.authorized_at,
        payments.captured_at
    from published
    inner join payments on published.event_id = payments.event_id

),

steps_taken as (

    select
        *,
        'intent' as step_taken,
        intent_at as taken_at
    from labelled
    where intent_at is not null
    union all
    select
        *,
        'authorized' as step_taken,
        authorized_at as taken_at
    from labelled
    where authorized_at is not null
    union all
    select
        *,
        'captured' as step_taken,
        captured_at as taken_at
    from labelled
    where captured_at is not null

),

funnel as (

    {{ funnel(
        relation='steps_taken',
        subject='user_key',
        time='taken_at',
        id='event_id',
        event='step_taken',
        steps=[
            {'name': 'intent', 'event': 'intent'},
            {'name': 'authorized', 'event': 'authorized'},
            {'name': 'captured', 'event': 'captured'},
        ],
        window_seconds=var('payment_funnel_seconds'),
        keys=keys
    ) }}

),

cells as (

    select
        begun_on as period_start,
        brand,
        region,
        method,
        count(*) as payments,
        {{ shown_people('user_key') }} as subjects,
        max(labelled_at) as updated_at
    from published
    group by begun_on, brand, region, method

),

told as (

    select
        cells.period_start,
        cells.brand,
        cells.region,
        cells.method,
        cells.payments,
        funnel.step,
        funnel.name as step_name,
        {{ none_or_enough('funnel.people') }} as people,
        case when {{ none_or_enough('funnel.people') }} is not null then funnel.rate end as rate,
        cells.subjects,
        cells.updated_at
    from funnel
    inner join cells on {{ same('funnel', 'cells', keys) }}

)

select * from told
