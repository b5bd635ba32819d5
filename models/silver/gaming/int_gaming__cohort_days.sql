{{ config(materialized='view') }}

-- Of earlier cohorts what their members did has expired.
with

cohorts as (

    select * from {{ ref('int_gaming__cohorts') }}

),

events as (

    select * from {{ ref('int_gaming__events') }}

),

held as (

    select min({{ utc_day('occurred_at') }}) as first_day
    from events

),

cohort_days as (

    select distinct cohorts.cohort_date
    from cohorts
    cross join held
    where cohorts.cohort_date >= held.first_day

)

select * from cohort_days
