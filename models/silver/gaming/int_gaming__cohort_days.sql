{{ config(materialized='view') }}

-- Of earlier cohorts what their members did has expired.
with

cohorts as (

    select * from {{ ref('int_gaming__cohorts') }}

),

events as (

    select * from {{ ref('int_gaming__events') }}

),

cohort_days as (

    select distinct cohort_date
    from cohorts
    where cohort_date >= (select min({{ utc_day('occurred_at') }}) from events)

)

select * from cohort_days
