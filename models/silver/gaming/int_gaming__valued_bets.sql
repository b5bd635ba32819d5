{{ config(materialized='table') }}

{%- set described = ['region', 'currency', 'provider_id', 'game_id', 'device', 'geo'] %}
{%- set amounts = ['stake_minor', 'win_minor', 'jackpot_contribution_minor', 'commission_minor'] %}
{%- set kinds = ['placed', 'settled', 'voided'] %}

-- An id is of one bet at its brand; an event without one is a bet by itself. A table: all that is
-- about play reads it, and joining the events of all bets costs.
with

events as (

    select
        *,
        coalesce(bet_key, event_id) as bet_or_event
    from {{ ref('int_gaming__events') }}
    where event_type in ('bet.placed', 'bet.settled', 'bet.voided')

),

numbered as (

    select
        event_id,
        row_number() over (
            partition by brand, bet_or_event, event_type
            order by occurred_at desc, event_id desc
        ) as number_from_end
    from events

),

-- Few are told again: they are left out by their ids, so that no whole event has to be sorted.
told_again as (

    select event_id from numbered
    where number_from_end > 1

),

{%- for kind in kinds %}

    {{ kind }} as (

        select events.*
        from events
        left join told_again on events.event_id = told_again.event_id
        where events.event_type = 'bet.{{ kind }}' and told_again.event_id is null

    ),
{%- endfor %}

-- What one event does not send comes from the other; a bet that is voided was none.
bets as (

    select
        {%- for name in ['brand', 'bet_key', 'event_id', 'user_key'] %}
            coalesce(settled.{{ name }}, placed.{{ name }}, voided.{{ name }}) as {{ name }},
        {%- endfor %}
        {%- for column in described %}
            coalesce(settled.{{ column }}, placed.{{ column }}, 'unknown') as {{ column }},
        {%- endfor %}
        substr(
            coalesce('+' || placed.batch_id, '')
            || coalesce('+' || nullif(settled.batch_id, placed.batch_id), '')
            || coalesce(
                '+' || nullif(nullif(voided.batch_id, placed.batch_id), settled.batch_id), ''
            ),
            2
        ) as batch_id,
        coalesce(settled.in_bonus, placed.in_bonus, false) as in_bonus,
        case
            when voided.event_id is not null then 'voided'
            when settled.event_id is not null then 'settled'
            else 'open'
        end as state,
        {%- for amount in amounts %}
            case
                when voided.event_id is not null then 0
                else coalesce(settled.{{ amount }}, placed.{{ amount }}, 0)
            end as {{ amount }},
        {%- endfor %}
        {%- for kind in kinds %}
            {{ kind }}.occurred_at as {{ kind }}_at,
        {%- endfor %}
        coalesce(settled.occurred_at, placed.occurred_at, voided.occurred_at) as occurred_at,
        coalesce(settled.sent_ingested_at, settled.ingested_at) as settled_heard_at
    from settled
    full outer join placed on {{ same('settled', 'placed', ['brand', 'bet_or_event']) }}
    full outer join voided
        on
            coalesce(settled.brand, placed.brand) = voided.brand
            and coalesce(settled.bet_or_event, placed.bet_or_event) = voided.bet_or_event

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
