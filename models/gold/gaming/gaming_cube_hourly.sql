{{ config(
    materialized='incremental',
    incremental_strategy='renew',
    meta={'renews': {
        'days': utc_day('period_start'),
        'below': 'int_gaming__published_play',
        'day_below': 'played_on',
        'differ_by': 'labels',
    }}
) }}

{%- set keys = [
    'period_start', 'brand', 'region', 'provider_id', 'game_id', 'currency', 'device', 'geo',
] %}

with

play as (

    select
        *,
        cube_hour as period_start,
        cube_device as device,
        cube_geo as geo
    from {{ ref('int_gaming__published_play') }}
    where
        is_published
        and cube_hour is not null
        and {{ is_renewed('played_on') }}

),

{{ play_measures('play', keys) }}

hours as (

    select
        {{ keys | join(', ') }},
        bets,
        active_players,
        active_players as subjects,
        stake_minor,
        win_minor,
        ggr_minor,
        bonus_minor,
        bonus_issued_minor,
        jackpot_contribution_minor,
        commission_minor,
        ngr_minor,
        rtp,
        settle_lag_p95_ms,
        webhook_lag_p95_ms,
        updated_at
    from measured

)

select * from hours
