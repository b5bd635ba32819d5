{{ config(materialized='view') }}

-- A row once in each length of span in which it is told.
with

play as (

    select * from {{ ref('int_gaming__published_play') }}
    where is_published

),

granularities as (

    select '1m' as granularity
    union all
    select '5m' as granularity
    union all
    select '1h' as granularity
    union all
    select '1d' as granularity

),

placed as (

    select
        play.*,
        granularities.granularity,
        case granularities.granularity
            when '1m' then play.told_minute
            when '5m' then play.told_five_minutes
            when '1h' then play.told_hour
            else cast(play.played_on as timestamp)
        end as ts
    from play
    cross join granularities

),

told as (

    select
        granularity,
        ts,
        played_on,
        played_minute,
        brand,
        region,
        currency,
        play_kind,
        user_key,
        stake_minor,
        win_minor,
        jackpot_contribution_minor,
        commission_minor,
        bonus_minor,
        bonus_issued_minor,
        base_stake_minor,
        base_win_minor,
        settle_lag_ms,
        webhook_lag_ms,
        labelled_at
    from placed
    where ts is not null

)

select * from told
