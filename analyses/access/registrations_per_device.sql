-- Does one fingerprint register more than 30 times before it is stopped? (S3-33)
{{ config(enabled=is_built('access')) }}
with

days as (

    select * from {{ ref('registrations_per_fingerprint_daily') }}

),

-- Null is too few people to say; a day without any such device is 0.
limits as (

    select
        period_start,
        domain,
        fingerprints,
        registrations,
        p99_registrations,
        registrations_over_10,
        registrations_over_30,
        rate_limited_share,
        coalesce(registrations_over_30 > 0, false) as is_limit_too_big
    from days

)

select * from limits
order by period_start, domain
