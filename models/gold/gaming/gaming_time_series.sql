{{ config(
    materialized='incremental',
    incremental_strategy='renew',
    meta={'renews': {
        'days': utc_day('ts'),
        'below': 'int_gaming__labelled_days',
        'day_below': 'told_on',
        'differ_by': 'labels',
    }}
) }}

{%- set keys = ['granularity', 'ts', 'brand', 'region', 'currency'] %}

with

play as (

    select * from {{ ref('int_gaming__told_play') }}
    where {{ is_renewed('played_on') }}

),

payments as (

    select * from {{ ref('int_gaming__published_payments') }}
    where
        is_published
        and {{ is_renewed('begun_on') }}

),

labelled_days as (

    select * from {{ ref('int_gaming__labelled_days') }}

),

{{ play_measures('play', keys) }}

told_payments as (

    select
        '1h' as granularity,
        published_hour as ts,
        brand,
        region,
        currency,
        is_captured,
        is_failed
    from payments
    where published_hour is not null
    union all
    select
        '1d' as granularity,
        cast(begun_on as timestamp) as ts,
        brand,
        region,
        currency,
        is_captured,
        is_failed
    from payments

),

deposits as (

    select
        {{ keys | join(', ') }},
        {{ deposits_success() }} as deposits_success
    from told_payments
    group by {{ keys | join(', ') }}

),

spans as (

    select
        measured.bets,
        measured.active_players,
        measured.active_players as subjects,
        measured.stake_minor,
        measured.win_minor,
        measured.ggr_minor,
        measured.bonus_minor,
        measured.bonus_issued_minor,
        measured.jackpot_contribution_minor,
        measured.commission_minor,
        measured.ngr_minor,
        measured.rtp,
        measured.settle_lag_p95_ms,
        measured.webhook_lag_p95_ms,
        deposits.deposits_success,
        coalesce(measured.granularity, deposits.granularity) as granularity,
        coalesce(measured.ts, deposits.ts) as ts,
        coalesce(measured.brand, deposits.brand) as brand,
        coalesce(measured.region, deposits.region) as region,
        coalesce(measured.currency, deposits.currency) as currency
    from measured
    full outer join deposits on {{ same('measured', 'deposits', keys) }}

),

dated as (

    select
        spans.*,
        labelled_days.labelled_at as updated_at
    from spans
    inner join labelled_days on {{ utc_day('spans.ts') }} = labelled_days.told_on

)

select * from dated
