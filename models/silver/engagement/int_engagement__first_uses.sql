{{ config(materialized='incremental', unique_key=['user_key', 'event_type']) }}

-- Kept for good, since the events of a first use expire and the person may still come back.
with

events as (

    select
        user_key,
        event_type,
        {{ utc_day('occurred_at') }} as used_on
    from {{ ref('stg_engagement__events') }}
    where
        user_key is not null
        and event_type in ({{ event_types_of('engagement', 'person') }})

),

first_uses as (

    select
        user_key,
        event_type,
        min(used_on) as first_used_on
    from events
    group by user_key, event_type

),

changed as (

    select first_uses.*
    from first_uses
    {% if is_incremental() %}
        left join {{ this }} as known
            on {{ same('first_uses', 'known', ['user_key', 'event_type']) }}
        where known.first_used_on is null or first_uses.first_used_on < known.first_used_on
    {% endif %}

)

select * from changed
