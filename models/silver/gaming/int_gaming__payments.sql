{{ config(materialized='view') }}

with

payments as (

    select
        event_id,
        batch_id,
        payment_key,
        user_key,
        brand,
        region,
        currency,
        method,
        provider_id,
        device,
        status,
        is_captured,
        amount_minor,
        captured_minor,
        refunded_minor,
        base_amount_minor,
        base_captured_minor,
        base_refunded_minor,
        intent_at,
        authorized_at,
        captured_at,
        failed_at,
        refunded_at,
        occurred_at
    from {{ ref('int_gaming__valued_payments') }}
    where fault is null

)

select * from payments
