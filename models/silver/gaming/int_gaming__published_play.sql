{{ config(
    materialized='incremental',
    incremental_strategy='renew',
    meta={'renews': {
        'days': 'played_on',
        'below': 'int_gaming__play',
        'day_below': utc_day('occurred_at'),
        'differ_by': 'batches',
    }}
) }}

-- Whoever has no settled bet stands behind no span of time: a bonus alone opens none.
with

play as (

    select
        *,
        {{ utc_day('occurred_at') }} as played_on,
        case when play_kind = 'bet' then stake_minor end as weight
    from {{ ref('int_gaming__play') }}
    where {{ is_renewed(utc_day('occurred_at')) }}

),

{{ timed_blocks(
    relation='play',
    subject='user_key',
    keys=['played_on', 'brand', 'currency'],
    region='region',
    categories=['provider_id', 'game_id'],
    time='occurred_at',
    weight='weight',
    cube=['device', 'geo']
) }}

published as (

    select
        event_id,
        batch_id,
        played_on,
        {{ utc_minutes('occurred_at', 1) }} as played_minute,

        -- labels, by time and by category
        brand,
        currency,
        published_region as region,
        published_provider_id as provider_id,
        published_game_id as game_id,
        is_hub,
        told_granularity,
        told_hour,
        told_five_minutes,
        told_minute,
        cube_hour,
        cube_device,
        cube_geo,
        is_published,

        play_kind,
        user_key,
        cast(case when play_kind = 'bet' then 1 else 0 end as int64) as settled_bets,
        stake_minor,
        win_minor,
        jackpot_contribution_minor,
        commission_minor,
        bonus_minor,
        bonus_issued_minor,
        base_stake_minor,
        base_win_minor,
        base_jackpot_contribution_minor,
        base_commission_minor,
        base_bonus_minor,
        settle_lag_ms,
        webhook_lag_ms,
        {{ now_utc() }} as labelled_at
    from blocks

)

select * from published
