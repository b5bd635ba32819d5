{{ config(materialized='view') }}

{%- set words = [
    'region', 'provider_id', 'game_id', 'method', 'device', 'reason', 'limit_kind', 'action'
] %}

with

events as (

    select * from {{ ref('stg_engagement__events') }}
    where
        event_type in (
            {{ event_types_of('gaming', 'person') }},
            {{ event_types_of('gaming', 'system') }},
            'account.registered',
            'wallet.credit',
            'wallet.debit'
        )

),

spelled as (

    select
        *,
        {%- for column in words %}
            {{ spelling(column) }} as {{ column }}_word,
        {%- endfor %}
        {{ spelling('tenant_id') }} as brand_word,
        {{ capitals('currency') }} as currency_code,
        {{ capitals('geo') }} as geo_code
    from events

),

-- What names published cells and is no word counts as not sent.
named as (

    select
        -- ids
        event_id,
        batch_id,
        line_number,
        user_key,
        bet_key,
        session_key,
        payment_key,
        bonus_key,

        -- what happened, and where
        event_type,
        case when {{ is_word('brand_word') }} then brand_word else 'unknown' end as brand,
        {%- for column in words %}
            case when {{ is_word(column ~ '_word') }} then {{ column }}_word end as {{ column }},
        {%- endfor %}
        case
            when {{ regexp_like('currency_code', '^[A-Z]{3}$') }} then currency_code
        end as currency,
        case when {{ regexp_like('geo_code', '^[A-Z]{2}$') }} then geo_code end as geo,

        -- money
        stake_minor,
        win_minor,
        jackpot_contribution_minor,
        commission_minor,
        amount_minor,
        in_bonus,

        -- times
        occurred_at,
        ingested_at,
        sent_ingested_at
    from spelled

)

select * from named
