-- What has somebody paid in by the day after the first deposit, a week, a month and three? (S2-33)
-- By month, brand and currency of the first one. It reads silver: figures not for publication.
{{ config(enabled=is_built('gaming')) }}
with

deposits as (

    select
        user_key,
        currency,
        amount_minor,
        coalesce(tenant_id, 'unknown') as brand,
        {{ local_day('occurred_at', "'UTC'") }} as paid_on
    from {{ ref('stg_engagement__events') }}
    where
        event_type = 'wallet.credit'
        and reason = 'deposit'
        and currency is not null
        and amount_minor is not null

),

-- The last day of all may not be over.
known as (

    select max(paid_on) - 1 as last_day from deposits

),

-- Whoever pays more than once is a member since the first time.
payers as (

    select
        deposits.user_key,
        deposits.brand,
        deposits.currency,
        deposits.paid_on,
        known.last_day
    from deposits
    cross join known

),

lifetime_values as (

    {{ lifetime_value(
        cohorts='payers',
        amounts='deposits',
        subject='user_key',
        joined_on='paid_on',
        paid_on='paid_on',
        amount='amount_minor',
        last_day='last_day',
        days=[0, 1, 7, 30, 90],
        period='month',
        keys=['brand', 'currency']
    ) }}

)

select * from lifetime_values
order by brand, currency, cohort_date, day
