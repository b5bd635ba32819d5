{{ config(materialized='view') }}

with

bets as (

    select
        event_id,
        batch_id,
        bet_key,
        user_key,
        brand,
        region,
        currency,
        provider_id,
        game_id,
        device,
        geo,
        in_bonus,
        state,
        stake_minor,
        win_minor,
        jackpot_contribution_minor,
        commission_minor,
        base_stake_minor,
        base_win_minor,
        base_jackpot_contribution_minor,
        base_commission_minor,
        placed_at,
        settled_at,
        voided_at,
        occurred_at,
        settle_lag_ms,
        webhook_lag_ms
    from {{ ref('int_gaming__valued_bets') }}
    where fault is null

)

select * from bets
