{{ config(materialized='view') }}

{%- set amounts = ['stake_minor', 'win_minor', 'jackpot_contribution_minor', 'commission_minor'] %}

with

bets as (

    select
        *,
        {{ utc_day('occurred_at') }} as occurred_on,
        substr(
            coalesce('+' || placed_batch_id, '')
            || coalesce('+' || nullif(settled_batch_id, placed_batch_id), '')
            || coalesce(
                '+' || nullif(nullif(voided_batch_id, placed_batch_id), settled_batch_id), ''
            ),
            2
        ) as batch_id
    from {{ ref('int_gaming__joined_bets') }}

),

valued as (

    {{ valued('bets', amounts) }}

),

-- No money, no rate needed.
valued_bets as (

    select
        -- ids
        event_id,
        batch_id || coalesce('+' || rate_batch_id, '') as batch_id,
        bet_key,
        user_key,

        -- what was played, where and with what
        brand,
        region,
        currency,
        provider_id,
        game_id,
        device,
        geo,
        in_bonus,
        state,

        -- money
        {%- for amount in amounts %}
            {{ amount }},
        {%- endfor %}
        {%- for amount in amounts %}
            case when state = 'voided' then 0 else base_{{ amount }} end as base_{{ amount }},
        {%- endfor %}
        -- times
        placed_at,
        settled_at,
        voided_at,
        occurred_at,
        occurred_on,
        settle_lag_ms,
        webhook_lag_ms,
        case when state != 'voided' then fault end as fault
    from valued

)

select * from valued_bets
