{{ config(materialized='table') }}

-- All events of a bet or a payment share its fate; an entry of a wallet has its own, though it may
-- name the payment that it is of.
with

events as (

    select * from {{ ref('int_gaming__events') }}

),

bets as (

    select
        brand,
        fault,
        coalesce(bet_key, event_id) as bet_or_event
    from {{ ref('int_gaming__valued_bets') }}
    where fault is not null

),

payments as (

    select
        brand,
        payment_key,
        fault
    from {{ ref('int_gaming__valued_payments') }}
    where fault is not null

),

entries as (

    select * from {{ ref('int_gaming__valued_entries') }}
    where fault is not null

),

faulty as (

    select
        events.event_id,
        bets.fault
    from events
    inner join bets
        on
            events.brand = bets.brand
            and coalesce(events.bet_key, events.event_id) = bets.bet_or_event
    where events.event_type in ('bet.placed', 'bet.settled', 'bet.voided')
    union all
    select
        events.event_id,
        payments.fault
    from events
    inner join payments on {{ same('events', 'payments', ['brand', 'payment_key']) }}
    where events.event_type like 'payment.%'
    union all
    select
        event_id,
        fault
    from entries

),

quarantined as (

    select
        events.event_id,
        events.batch_id,
        events.event_type,
        {{ utc_day('events.occurred_at') }} as occurred_on,
        faulty.fault as code
    from faulty
    inner join events on faulty.event_id = events.event_id

)

select * from quarantined
