{{ config(materialized='incremental', unique_key='user_key') }}

-- Kept for good, since the events of a first day expire and the person may still come back.
with

events as (

    select
        user_key,
        {{ utc_day('occurred_at') }} as active_on
    from {{ ref('stg_engagement__events') }}
    where
        user_key is not null
        and event_type in ({{ event_types_of('engagement', 'person') }})

),

first_days as (

    select
        user_key,
        min(active_on) as first_active_on
    from events
    group by user_key

),

changed as (

    select first_days.*
    from first_days
    {% if is_incremental() %}
        left join {{ this }} as known on first_days.user_key = known.user_key
        where known.first_active_on is null or first_days.first_active_on < known.first_active_on
    {% endif %}

)

select * from changed
