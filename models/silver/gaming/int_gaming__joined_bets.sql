{{ config(
    materialized='incremental',
    incremental_strategy='renew',
    meta={'renews': {'told_anew': ['brand', 'coalesce(bet_key, event_id)']}}
) }}

{%- set described = ['region', 'currency', 'provider_id', 'game_id', 'device', 'geo'] %}
{%- set amounts = ['stake_minor', 'win_minor', 'jackpot_contribution_minor', 'commission_minor'] %}
{%- set kinds = ['placed', 'settled', 'voided'] %}
{%- set of_bets = "event_type in ('bet.placed', 'bet.settled', 'bet.voided')" %}
{%- set known = known_batches(['placed_batch_id', 'settled_batch_id', 'voided_batch_id']) %}

-- An id is of one bet at its brand; an event without one is a bet by itself. Kept, since joining
-- the events of all bets costs: one that has a new event is joined anew, of the days of all of its.
with

events as (

    select
        *,
        coalesce(bet_key, event_id) as bet_or_event
    from {{ ref('int_gaming__events') }}
    where
        {{ of_bets }}
        and {{ is_of_days_told_anew(
            ref('int_gaming__events'), of_bets, 'coalesce(bet_key, event_id)', known
        ) }}

),

{% if is_incremental() %}
    known as (

        {{ known }}

    ),

    bets_with_news as (

        select distinct
            events.brand,
            events.bet_or_event
        from events
        left join known on events.batch_id = known.batch_id
        where {{ is_news(utc_day('events.occurred_at')) }}

    ),

    told_anew as (

        select events.*
        from events
        inner join bets_with_news
            on {{ same('events', 'bets_with_news', ['brand', 'bet_or_event']) }}

    ),
{% else %}
    told_anew as (

        select * from events

    ),
{% endif %}

numbered as (

    select
        event_id,
        row_number() over (
            partition by brand, bet_or_event, event_type
            order by occurred_at desc, event_id desc
        ) as number_from_end
    from told_anew

),

-- Few are told again: they are left out by their ids, so that no whole event has to be sorted.
told_again as (

    select event_id from numbered
    where number_from_end > 1

),

{%- for kind in kinds %}

    {{ kind }} as (

        select told_anew.*
        from told_anew
        left join told_again on told_anew.event_id = told_again.event_id
        where told_anew.event_type = 'bet.{{ kind }}' and told_again.event_id is null

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
        {%- for kind in kinds %}
            {{ kind }}.batch_id as {{ kind }}_batch_id,
        {%- endfor %}
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

joined_bets as (

    select
        -- ids
        event_id,
        bet_key,
        user_key,
        {%- for kind in kinds %}
            {{ kind }}_batch_id,
        {%- endfor %}

        -- what was played, where and with what
        brand,
        {%- for column in described %}
            {{ column }},
        {%- endfor %}
        in_bonus,
        state,

        -- money
        {%- for amount in amounts %}
            {{ amount }},
        {%- endfor %}

        -- times
        {%- for kind in kinds %}
            {{ kind }}_at,
        {%- endfor %}
        occurred_at,
        greatest(
            occurred_at, coalesce(placed_at, occurred_at), coalesce(voided_at, occurred_at)
        ) as last_at,
        {{ milliseconds_between('placed_at', 'settled_at') }} as settle_lag_ms,
        {{ milliseconds_between('settled_at', 'settled_heard_at') }} as webhook_lag_ms
    from bets

)

select * from joined_bets
