{{ config(
    materialized='incremental',
    incremental_strategy='renew',
    meta={'renews': {
        'since': 'int_engagement__published_wallet_entries',
        'where': 'is_published',
        'day': 'balance_month',
        'day_below': 'entered_month',
        'told_by': [
            'max(labelled_at)',
            'case when entered_month < max(max(entered_month)) over () then 1 else 0 end',
        ],
        'told_here': ['max(labelled_at)', 'min(case when is_complete then 1 else 0 end)'],
    }}
) }}

{%- set person = ['user_key', 'currency'] %}
{%- set keys = ['balance_month', 'currency'] %}

-- Of entries whose amounts are shown, and of no others: else the sum of all balances, less what is
-- published of entries, would be the amounts that are not.
with

wallet_entries as (

    select
        entered_month as balance_month,
        {{ person | join(', ') }},
        state,
        change_minor,
        has_amounts,
        labelled_at
    from {{ ref('int_engagement__published_wallet_entries') }}
    where is_published

),

months as (

    select
        balance_month,
        balance_month < max(max(balance_month)) over () as is_complete,
        max(labelled_at) as labelled_at
    from wallet_entries
    group by balance_month

),

changes as (

    select
        balance_month,
        {{ person | join(', ') }},
        sum(case when state = 'available' then change_minor else 0 end) as change_minor
    from wallet_entries
    where has_amounts and user_key is not null
    group by balance_month, {{ person | join(', ') }}

),

wallets as (

    select
        {{ person | join(', ') }},
        min(balance_month) as first_month
    from changes
    group by {{ person | join(', ') }}

),

-- In a month without entries a balance stays what it was.
balances as (

    select
        months.balance_month,
        months.is_complete,
        months.labelled_at,
        wallets.user_key,
        wallets.currency,
        cast(
            sum(coalesce(changes.change_minor, 0)) over (
                partition by wallets.user_key, wallets.currency
                order by months.balance_month
            ) as int64
        ) as balance_minor
    from wallets
    inner join months on wallets.first_month <= months.balance_month
    left join changes
        on
            months.balance_month = changes.balance_month
            and {{ same('wallets', 'changes', person) }}

),

bands as (

    select * from {{ ref('amount_buckets') }}

),

banded as (

    select
        balances.*,
        bands.label as balance_band
    from balances
    inner join bands on {{ bucket('balances.balance_minor', 'bands', 'wallet_balance') }}
    where {{ is_since('balance_month') }}

),

{{ published_blocks(
    relation='banded',
    subject='user_key',
    keys=keys,
    labels=['balance_band']
) }}

{{ open_amounts(
    relation='blocks',
    block=keys + ['published_balance_band'],
    subject='user_key',
    amount='balance_minor'
) }}

-- The sum over all bands is known from the entries, so one band alone cannot be hidden.
published as (

    select
        balance_month,
        user_key,
        published_balance_band as balance_band,
        currency,
        is_complete,
        is_published,
        balance_minor,
        min(case when has_amounts then 1 else 0 end) over (
            partition by {{ keys | join(', ') }}
        ) = 1 as has_amounts,
        labelled_at
    from valued

)

select * from published
