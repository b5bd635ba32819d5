{{ config(materialized='view') }}

-- What a bonus gives or takes is of no game. A voided bet is in no figure.
with

bets as (

    select * from {{ ref('int_gaming__bets') }}
    where state != 'voided'

),

bonuses as (

    select * from {{ ref('int_gaming__bonuses') }}

),

play as (

    select
        -- ids
        event_id,
        batch_id,
        user_key,

        -- what, where and with what
        brand,
        region,
        currency,
        provider_id,
        game_id,
        device,
        geo,
        case when state = 'settled' then 'bet' else 'open_bet' end as play_kind,

        -- money
        case when state = 'settled' then stake_minor else 0 end as stake_minor,
        win_minor,
        jackpot_contribution_minor,
        commission_minor,
        0 as bonus_minor,
        0 as bonus_issued_minor,
        case when state = 'settled' then base_stake_minor else 0 end as base_stake_minor,
        base_win_minor,
        base_jackpot_contribution_minor,
        base_commission_minor,
        0 as base_bonus_minor,

        -- times
        occurred_at,
        settle_lag_ms,
        webhook_lag_ms
    from bets
    union all
    select
        event_id,
        batch_id,
        user_key,
        brand,
        region,
        currency,
        'none' as provider_id,
        'none' as game_id,
        'none' as device,
        'none' as geo,
        case when step = 'consumed' then 'bonus' else 'bonus_issue' end as play_kind,
        0 as stake_minor,
        0 as win_minor,
        0 as jackpot_contribution_minor,
        0 as commission_minor,
        case when step = 'consumed' then amount_minor else 0 end as bonus_minor,
        case when step = 'issued' then amount_minor else 0 end as bonus_issued_minor,
        0 as base_stake_minor,
        0 as base_win_minor,
        0 as base_jackpot_contribution_minor,
        0 as base_commission_minor,
        case when step = 'consumed' then base_amount_minor else 0 end as base_bonus_minor,
        occurred_at,
        cast(null as int64) as settle_lag_ms,
        cast(null as int64) as webhook_lag_ms
    from bonuses

)

select * from play
