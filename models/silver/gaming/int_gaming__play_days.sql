{{ config(materialized='view') }}

with

active_days as (

    select * from {{ ref('int_gaming__active_days') }}

),

first_days as (

    select * from {{ ref('int_gaming__first_days') }}

),

play_days as (

    select
        active_days.event_id,
        active_days.batch_id,
        active_days.user_key,
        active_days.brand,
        active_days.region,
        active_days.active_on,
        case
            when active_days.active_on = first_days.first_active_on then 'new'
            else 'returning'
        end as user_kind
    from active_days
    left join first_days on {{ same('active_days', 'first_days', ['user_key', 'brand']) }}

)

select * from play_days
