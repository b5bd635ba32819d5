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

{%- set keys = ['period_start', 'brand', 'provider_id', 'game_id', 'currency'] %}

with

play as (

    select
        *,
        played_on as period_start
    from {{ ref('int_gaming__published_play') }}
    where
        is_published
        and {{ is_renewed('played_on') }}

),

{{ play_measures('play', keys) }}

days as (

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
        updated_at
    from measured

)

select * from days
