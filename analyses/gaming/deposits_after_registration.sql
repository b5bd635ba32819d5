-- Who, of those who registered in a week, pays in on day 1, 7 or 30, or later? (S2-30)
-- In days of UTC, give or take one. It reads silver: figures not for publication.
{{ config(enabled=is_built('gaming')) }}
with

events as (

    select
        user_key,
        event_type,
        reason,
        coalesce(tenant_id, 'unknown') as brand,
        {{ local_day('occurred_at', "'UTC'") }} as happened_on
    from {{ ref('stg_engagement__events') }}

),

-- The last day of all may not be over.
known as (

    select max(happened_on) - 1 as last_day from events

),

registrations as (

    select
        events.user_key,
        events.brand,
        events.happened_on,
        known.last_day
    from events
    cross join known
    where events.event_type = 'account.registered'

),

retention as (

    {{ retention(
        cohorts='registrations',
        activity='events',
        subject='user_key',
        joined_on='happened_on',
        active_on='happened_on',
        last_day='last_day',
        days=[1, 7, 30],
        tolerance_days=1,
        period='week',
        keys=['brand'],
        where="event_type = 'wallet.credit' and reason = 'deposit'"
    ) }}

)

select * from retention
order by brand, cohort_date, day
