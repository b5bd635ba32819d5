{{ config(materialized='view') }}

-- A day of a person counts once at each brand, in the region where it began.
with

activity as (

    select * from {{ ref('int_gaming__activity') }}

),

first_days as (

    select * from {{ ref('int_gaming__first_days') }}

),

numbered as (

    select
        *,
        row_number() over (
            partition by user_key, brand, active_on
            order by active_at, event_id
        ) as number
    from activity

),

play_days as (

    select
        numbered.event_id,
        numbered.batch_id,
        numbered.user_key,
        numbered.brand,
        numbered.region,
        numbered.active_on,
        case
            when numbered.active_on = first_days.first_active_on then 'new'
            else 'returning'
        end as user_kind
    from numbered
    left join first_days on {{ same('numbered', 'first_days', ['user_key', 'brand']) }}
    where numbered.number = 1

)

select * from play_days
