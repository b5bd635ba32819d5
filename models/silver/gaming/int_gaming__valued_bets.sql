{{ config(materialized='table') }}

{%- set described = ['region', 'currency', 'provider_id', 'game_id', 'device', 'geo'] %}
{%- set amounts = ['stake_minor', 'win_minor', 'jackpot_contribution_minor', 'commission_minor'] %}
{%- set is_settled = "event_type = 'bet.settled'" %}
{%- set is_placed = "event_type = 'bet.placed'" %}
{%- set is_voided = "event_type = 'bet.voided'" %}

-- An id is of one bet at its brand; an event without one is a bet by itself. A table: all that is
-- about play reads it, and joining the events of all bets costs.
with

events as (

    select
        *,
        coalesce(bet_key, event_id) as bet_or_event,
        row_number() over (
            partition by brand, coalesce(bet_key, event_id), event_type
            order by occurred_at desc, event_id desc
        ) as number_from_end
    from {{ ref('int_gaming__events') }}
    where event_type in ('bet.placed', 'bet.settled', 'bet.voided')

),

last_events as (

    select * from events
    where number_from_end = 1

),

-- What one event does not send comes from the other; a bet that is voided was none.
bets as (

    select
        brand,
        bet_or_event,
        max(bet_key) as bet_key,
        {%- for column in ['event_id', 'user_key'] %}
            coalesce(
                max(case when {{ is_settled }} then {{ column }} end),
                max(case when {{ is_placed }} then {{ column }} end),
                max({{ column }})
            ) as {{ column }},
        {%- endfor %}
        string_agg(distinct batch_id, '+' order by batch_id) as batch_id,
        {%- for column in described %}
            coalesce(
                max(case when {{ is_settled }} then {{ column }} end),
                max(case when {{ is_placed }} then {{ column }} end),
                'unknown'
            ) as {{ column }},
        {%- endfor %}
        coalesce(
            max(case when {{ is_settled }} then in_bonus end),
            max(case when {{ is_placed }} then in_bonus end),
            false
        ) as in_bonus,
        case
            when count(case when {{ is_voided }} then 1 end) > 0 then 'voided'
            when count(case when {{ is_settled }} then 1 end) > 0 then 'settled'
            else 'open'
        end as state,
        {%- for amount in amounts %}
            case
                when count(case when {{ is_voided }} then 1 end) > 0 then 0
                else coalesce(
                    max(case when {{ is_settled }} then {{ amount }} end),
                    max(case when {{ is_placed }} then {{ amount }} end),
                    0
                )
            end as {{ amount }},
        {%- endfor %}
        max(case when {{ is_placed }} then occurred_at end) as placed_at,
        max(case when {{ is_settled }} then occurred_at end) as settled_at,
        max(case when {{ is_voided }} then occurred_at end) as voided_at,
        coalesce(
            max(case when {{ is_settled }} then occurred_at end),
            max(case when {{ is_placed }} then occurred_at end),
            max(occurred_at)
        ) as occurred_at,
        max(
            case when {{ is_settled }} then coalesce(sent_ingested_at, ingested_at) end
        ) as settled_heard_at
    from last_events
    group by brand, bet_or_event

),

dated as (

    select
        *,
        {{ utc_day('occurred_at') }} as occurred_on
    from bets

),

valued as (

    {{ valued('dated', amounts) }}

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
        {{ milliseconds_between('placed_at', 'settled_at') }} as settle_lag_ms,
        {{ milliseconds_between('settled_at', 'settled_heard_at') }} as webhook_lag_ms,
        case when state != 'voided' then fault end as fault
    from valued

)

select * from valued_bets
