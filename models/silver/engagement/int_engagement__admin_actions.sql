{{ config(materialized='view') }}

with

events as (

    select * from {{ ref('stg_engagement__events') }}
    where event_type = 'admin.action'

),

spelled as (

    select
        *,
        {{ spelling('action') }} as action_word,
        {{ spelling('target_type') }} as target_type_word
    from events

),

-- What names published cells and is no word is unknown.
admin_actions as (

    select
        -- ids
        event_id,
        batch_id,
        line_number,
        user_key,

        -- what was done, to what
        tenant_id,
        region,
        -- An action in contracts and marts, whatever else SQL means by the word.
        case
            when {{ is_word('action_word') }} then action_word
            else 'unknown'
        end as action,  -- noqa: RF04
        case
            when {{ is_word('target_type_word') }} then target_type_word
            else 'unknown'
        end as target_type,

        -- times
        occurred_at,
        ingested_at
    from spelled

)

select * from admin_actions
