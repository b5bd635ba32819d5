-- Each event of a bet, payment or bonus is in one fact or quarantined, and not in both. Says how
-- many of a type are not.
with

sent as (

    select
        event_id,
        event_type
    from {{ ref('stg_engagement__events') }}
    where
        event_type in (
            'bet.placed',
            'bet.settled',
            'bet.voided',
            'bonus.consumed',
            'bonus.issued',
            'payment.authorized',
            'payment.captured',
            'payment.failed',
            'payment.intent',
            'payment.refunded'
        )

),

events as (

    select * from {{ ref('int_gaming__events') }}

),

bets as (

    select
        brand,
        coalesce(bet_key, event_id) as bet_or_event
    from {{ ref('int_gaming__bets') }}

),

payments as (

    select
        brand,
        payment_key
    from {{ ref('int_gaming__payments') }}

),

places as (

    select events.event_id
    from events
    inner join bets
        on
            events.brand = bets.brand
            and coalesce(events.bet_key, events.event_id) = bets.bet_or_event
    where events.event_type in ('bet.placed', 'bet.settled', 'bet.voided')
    union all
    select events.event_id
    from events
    inner join payments on {{ same('events', 'payments', ['brand', 'payment_key']) }}
    union all
    select event_id from {{ ref('int_gaming__bonuses') }}
    union all
    select event_id from {{ ref('int_gaming__quarantined') }}

),

placed as (

    select
        sent.event_id,
        sent.event_type,
        count(places.event_id) as number_of_places
    from sent
    left join places on sent.event_id = places.event_id
    group by sent.event_id, sent.event_type

),

misplaced as (

    select
        event_type,
        count(*) as events
    from placed
    where number_of_places != 1
    group by event_type

)

select * from misplaced
