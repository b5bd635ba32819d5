{{ config(
    materialized='incremental',
    incremental_strategy='renew',
    meta={'renews': {
        'days': 'period_start',
        'below': 'int_access__published_attempts',
        'day_below': 'attempted_on',
        'differ_by': 'labels',
    }}
) }}

{%- set keys = ['period_start', 'domain'] %}

with

signups as (

    select
        attempted_on as period_start,
        domain,
        status,
        error_code,
        subject_key,
        fp_key,
        labelled_at
    from {{ ref('int_access__published_attempts') }}
    where
        is_published
        and action = 'signup'
        and status != 'test'
        and {{ is_renewed('attempted_on') }}

),

cells as (

    select
        period_start,
        domain,
        count(*) as attempts,
        count(case when error_code = 'rate_limited' then 1 end) as rate_limited,
        count(distinct subject_key) as people,
        max(labelled_at) as updated_at
    from signups
    group by period_start, domain

),

registrations as (

    select
        *,
        case
            when fp_key is not null
                then count(*) over (partition by period_start, domain, fp_key)
            else 0
        end as registrations_of_device
    from signups
    where status = 'success'

),

devices as (

    select
        period_start,
        domain,
        fp_key,
        count(*) as registrations
    from registrations
    where fp_key is not null
    group by period_start, domain, fp_key

),

ranked_devices as (

    select
        period_start,
        domain,
        {{ percentile('registrations', 0.5, keys) }} as p50,
        {{ percentile('registrations', 0.95, keys) }} as p95,
        {{ percentile('registrations', 0.99, keys) }} as p99
    from devices

),

device_cells as (

    select
        period_start,
        domain,
        count(*) as fingerprints,
        any_value(p50) as p50,
        any_value(p95) as p95,
        any_value(p99) as p99
    from ranked_devices
    group by period_start, domain

),

-- The registrations of a day in three parts, by how many their device made. A part is no union of
-- published blocks, so it needs people of its own, and so does whatever is left beside it.
parts as (

    select
        period_start,
        domain,
        count(*) as registrations,
        count(case when registrations_of_device > 10 then 1 end) as over_10,
        count(case when registrations_of_device > 30 then 1 end) as over_30,
        count(distinct case when registrations_of_device <= 10 then subject_key end) as low_people,
        count(
            distinct case when registrations_of_device between 11 and 30 then subject_key end
        ) as middle_people,
        count(
            distinct case when registrations_of_device > 10 then subject_key end
        ) as over_10_people,
        count(
            distinct case when registrations_of_device > 30 then subject_key end
        ) as over_30_people
    from registrations
    group by period_start, domain

),

judged as (

    select
        period_start,
        domain,
        registrations,
        over_10,
        over_30,
        registrations = over_10 or low_people >= {{ var('k') }} as low_passes,
        over_10 = over_30 or middle_people >= {{ var('k') }} as middle_passes,
        over_10 = 0 or over_10_people >= {{ var('k') }} as over_10_passes,
        over_30 = 0 or over_30_people >= {{ var('k') }} as over_30_passes
    from parts

),

days as (

    select
        cells.period_start,
        cells.domain,
        cells.attempts,
        coalesce(judged.registrations, 0) as registrations,
        case
            when device_cells.fingerprints >= {{ var('k') }} then device_cells.fingerprints
        end as fingerprints,
        case
            when device_cells.fingerprints >= {{ var('k') }} then device_cells.p50
        end as p50_registrations,
        case
            when device_cells.fingerprints >= {{ var('tail_subjects') }} then device_cells.p95
        end as p95_registrations,
        case
            when device_cells.fingerprints >= {{ var('tail_subjects') }} then device_cells.p99
        end as p99_registrations,
        case
            when judged.registrations is null then 0
            when judged.low_passes and judged.over_10_passes then judged.over_10
        end as registrations_over_10,
        case
            when judged.registrations is null then 0
            when judged.low_passes and judged.middle_passes and judged.over_30_passes
                then judged.over_30
        end as registrations_over_30,
        {{ ratio('cells.rate_limited', 'cells.attempts') }} as rate_limited_share,
        case when cells.people >= {{ var('k') }} then cells.people end as subjects,
        cells.updated_at
    from cells
    left join device_cells on {{ same('cells', 'device_cells', keys) }}
    left join judged on {{ same('cells', 'judged', keys) }}

)

select * from days
