{{ config(materialized='view') }}

with

events as (

    select * from {{ ref('stg_engagement__events') }}
    where event_type = 'badge.awarded'

),

spelled as (

    select
        *,
        {{ spelling('badge_id') }} as badge_id_word
    from events

),

-- What names published cells and is no word is unknown.
badges as (

    select
        -- ids
        event_id,
        batch_id,
        line_number,
        user_key,

        -- which badge
        tenant_id,
        region,
        case
            when {{ is_word('badge_id_word') }} then badge_id_word
            else 'unknown'
        end as badge_id,

        -- times
        occurred_at,
        ingested_at
    from spelled

)

select * from badges
