{{ config(materialized='view') }}

with

events as (

    select * from {{ ref('stg_engagement__events') }}
    where event_type = 'contribution.recorded'

),

spelled as (

    select
        *,
        {{ spelling('category') }} as category_word
    from events

),

-- What names published cells and is no word is unknown.
contributions as (

    select
        -- ids
        event_id,
        batch_id,
        line_number,
        user_key,

        -- what for, and how much
        tenant_id,
        region,
        case
            when {{ is_word('category_word') }} then category_word
            else 'unknown'
        end as category,
        points,

        -- times
        occurred_at,
        ingested_at
    from spelled

)

select * from contributions
