{{ config(materialized='incremental', unique_key=['user_key', 'brand']) }}

-- Kept for good, since the events of a first day expire and the person may still come back.
with

active_days as (

    select * from {{ ref('int_gaming__active_days') }}

),

first_days as (

    select
        user_key,
        brand,
        min(active_on) as first_active_on
    from active_days
    group by user_key, brand

),

changed as (

    select first_days.*
    from first_days
    {% if is_incremental() %}
        left join {{ this }} as known on {{ same('first_days', 'known', ['user_key', 'brand']) }}
        where known.first_active_on is null or first_days.first_active_on < known.first_active_on
    {% endif %}

)

select * from changed
