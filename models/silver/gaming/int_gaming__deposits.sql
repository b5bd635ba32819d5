{{ config(materialized='view') }}

{%- set same_money = ['user_key', 'brand', 'currency', 'movement', 'amount_minor'] %}

-- A wallet's entry of the same person and amount as a payment is the same money, seen again: the
-- n-th of the one is the n-th of the other.
with

payments as (

    select * from {{ ref('int_gaming__valued_payments') }}
    where is_captured and fault is null

),

refunds as (

    select * from {{ ref('int_gaming__events') }}
    where event_type = 'payment.refunded'

),

entries as (

    select * from {{ ref('int_gaming__valued_entries') }}
    where entry_kind in ('deposit', 'refund', 'withdrawal') and fault is null

),

paid as (

    select
        captured_event_id as event_id,
        batch_id,
        user_key,
        brand,
        region,
        currency,
        'deposit' as movement,
        captured_minor as amount_minor,
        base_captured_minor as base_amount_minor,
        captured_at as occurred_at
    from payments
    where captured_minor is not null
    union all
    select
        refunds.event_id,
        payments.batch_id,
        payments.user_key,
        payments.brand,
        payments.region,
        payments.currency,
        'refund' as movement,
        coalesce(refunds.amount_minor, payments.amount_minor) as amount_minor,
        {{ converted(
            'coalesce(refunds.amount_minor, payments.amount_minor)', 'payments.minor_rate'
        ) }} as base_amount_minor,
        refunds.occurred_at
    from payments
    inner join refunds on {{ same('payments', 'refunds', ['brand', 'payment_key']) }}
    where coalesce(refunds.amount_minor, payments.amount_minor) is not null

),

numbered_paid as (

    select
        *,
        row_number() over (
            partition by {{ same_money | join(', ') }}
            order by occurred_at, event_id
        ) as number
    from paid

),

booked as (

    select
        event_id,
        batch_id,
        user_key,
        brand,
        region,
        currency,
        entry_kind as movement,
        amount_minor,
        base_amount_minor,
        occurred_at
    from entries

),

numbered_booked as (

    select
        *,
        row_number() over (
            partition by {{ same_money | join(', ') }}
            order by occurred_at, event_id
        ) as number
    from booked

),

moved as (

    select * from paid
    union all
    select
        numbered_booked.event_id,
        numbered_booked.batch_id,
        numbered_booked.user_key,
        numbered_booked.brand,
        numbered_booked.region,
        numbered_booked.currency,
        numbered_booked.movement,
        numbered_booked.amount_minor,
        numbered_booked.base_amount_minor,
        numbered_booked.occurred_at
    from numbered_booked
    left join numbered_paid
        on {{ same('numbered_booked', 'numbered_paid', same_money + ['number']) }}
    where numbered_paid.event_id is null

),

deposits as (

    select
        event_id,
        batch_id,
        user_key,
        brand,
        region,
        movement,
        currency,
        occurred_at,
        case when movement = 'deposit' then 1 else -1 end * amount_minor as net_minor,
        case when movement = 'deposit' then 1 else -1 end * base_amount_minor as base_net_minor
    from moved

)

select * from deposits
