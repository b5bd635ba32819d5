{{ config(
    materialized='incremental',
    incremental_strategy='renew',
    meta={'renews': {
        'days': 'period_start',
        'below': 'int_gaming__published_play',
        'day_below': 'played_on',
        'differ_by': 'labels',
    }}
) }}

{%- set keys = ['period_start', 'brand', 'provider_id', 'game_id'] %}

with

play as (

    select
        *,
        played_on as period_start
    from {{ ref('int_gaming__published_play') }}
    where
        is_published
        and play_kind in ('bet', 'open_bet')
        and {{ is_renewed('played_on') }}

),

{{ play_measures('play', keys) }}

days as (

    select
        {{ keys | join(', ') }},
        bets + open_bets as bets_placed,
        bets as bets_settled,
        {{ ratio('bets', '(bets + open_bets)') }} as settled_rate,
        settle_lag_p50_ms,
        settle_lag_p95_ms,
        minutes_without_bet,
        {{ ratio('base_win_minor', 'base_stake_minor') }} as rtp,
        active_players,
        active_players as subjects,
        updated_at
    from measured
    where bets > 0

)

select * from days
