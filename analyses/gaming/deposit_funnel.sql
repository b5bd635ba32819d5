-- How many of those who set out to pay in have the money, and play with it within an hour? (S2-24)
-- Of each brand. It reads silver: figures not for publication.
{{ config(enabled=is_built('gaming')) }}
with

events as (

    select
        event_id,
        user_key,
        event_type,
        occurred_at,
        coalesce(tenant_id, 'unknown') as brand
    from {{ ref('stg_engagement__events') }}

),

funnel as (

    {{ funnel(
        relation='events',
        subject='user_key',
        time='occurred_at',
        id='event_id',
        steps=[
            {'name': 'intent', 'event': 'payment.intent'},
            {'name': 'captured', 'event': 'payment.captured'},
            {'name': 'played', 'event': 'bet.placed'},
        ],
        window_seconds=3600,
        keys=['brand']
    ) }}

)

select * from funnel
order by brand, step
