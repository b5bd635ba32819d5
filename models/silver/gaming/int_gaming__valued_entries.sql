{{ config(materialized='view') }}

with

entries as (

    select
        event_id,
        batch_id,
        event_type,
        user_key,
        bonus_key,
        brand,
        coalesce(region, 'unknown') as region,
        case
            when event_type in ('bonus.issued', 'bonus.consumed')
                then {{ regexp_replace_all('event_type', '^bonus[.]', '') }}
            when event_type = 'wallet.credit' and reason = 'deposit' then 'deposit'
            when event_type = 'wallet.debit' and reason in ('refund', 'withdrawal') then reason
        end as entry_kind,
        coalesce(currency, 'unknown') as currency,
        amount_minor,
        occurred_at,
        {{ utc_day('occurred_at') }} as occurred_on,
        ingested_at
    from {{ ref('int_gaming__events') }}
    where event_type in ('bonus.issued', 'bonus.consumed', 'wallet.credit', 'wallet.debit')

),

of_games as (

    select * from entries
    where entry_kind is not null

),

valued as (

    {{ valued('of_games', ['amount_minor']) }}

),

valued_entries as (

    select
        event_id,
        event_type,
        user_key,
        bonus_key,
        brand,
        region,
        entry_kind,
        currency,
        amount_minor,
        base_amount_minor,
        occurred_at,
        occurred_on,
        ingested_at,
        fault,
        batch_id || coalesce('+' || rate_batch_id, '') as batch_id
    from valued

)

select * from valued_entries
