{{ config(materialized='view') }}

{%- set cell = ['cohort_kind', 'cohort_date', 'brand', 'day'] %}

with

cohorts as (

    select * from {{ ref('int_gaming__cohorts') }}

),

activity as (

    select * from {{ ref('int_gaming__activity') }}

),

brands as (

    select * from {{ ref('brands') }}

),

cohort_days as (

    select * from {{ ref('int_gaming__cohort_days') }}

),

known as (

    select max(active_at) as last_at from activity

),

-- The last day may go on. Where nobody was ever active there is none, and no cohort to come back.
members as (

    select
        cohorts.user_key,
        cohorts.brand,
        cohorts.cohort_kind,
        cohorts.cohort_date,
        coalesce(brands.time_zone, 'UTC') as time_zone,
        {{ local_day('known.last_at', "coalesce(brands.time_zone, 'UTC')") }} as today
    from cohorts
    inner join cohort_days on cohorts.cohort_date = cohort_days.cohort_date
    cross join known
    left join brands on cohorts.brand = brands.brand
    where known.last_at is not null

),

counted_days as (

    {{ retention(
        cohorts='members',
        activity='activity',
        subject='user_key',
        joined_on='cohort_date',
        active_on='active_local_on',
        last_day='today - 1',
        days=var('retention_days'),
        tolerance_days=var('retention_tolerance_days'),
        keys=['brand'],
        cohort_keys=['cohort_kind', 'time_zone']
    ) }}

),

-- Those who came back are told where they are enough, and so are those who did not.
told as (

    select
        {{ cell | join(', ') }},
        time_zone,
        size,
        {{ part_or_none('returned', 'size') }} as returned,
        {{ part_or_none('returned_on_or_after', 'size') }} as returned_on_or_after,
        is_mature
    from counted_days
    where size >= {{ var('k') }}

),

cells as (

    select
        {{ cell | join(', ') }},
        time_zone,
        size,
        size as subjects,
        returned,
        {{ ratio('returned', 'size') }} as rate,
        returned_on_or_after,
        {{ ratio('returned_on_or_after', 'size') }} as rate_on_or_after,
        is_mature
    from told

)

select * from cells
