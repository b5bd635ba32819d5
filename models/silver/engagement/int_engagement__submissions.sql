{{ config(materialized='view') }}

with

events as (

    select * from {{ ref('stg_engagement__events') }}
    where event_type in ('submission.created', 'submission.approved', 'submission.rejected')

),

spelled as (

    select
        *,
        {{ regexp_replace_all('event_type', '^submission[.]', '') }} as step,
        {{ spelling('category') }} as category_word,
        {{ spelling('file_type') }} as file_type_word
    from events

),

-- What names published cells and is no word is unknown.
submissions as (

    select
        -- ids
        event_id,
        batch_id,
        line_number,
        user_key,
        submission_key,

        -- what happened, and to what
        step,
        tenant_id,
        region,
        challenge_id,
        track_id,
        case
            when {{ is_word('category_word') }} then category_word
            else 'unknown'
        end as category,
        case
            when {{ is_word('file_type_word') }} then file_type_word
            else 'unknown'
        end as file_type,
        file_size_bytes,

        -- times
        occurred_at,
        ingested_at
    from spelled

)

select * from submissions
