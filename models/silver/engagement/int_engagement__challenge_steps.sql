{{ config(materialized='view') }}

with

events as (

    select * from {{ ref('stg_engagement__events') }}
    where
        event_type in (
            'challenge.viewed', 'challenge.joined', 'challenge.completed', 'challenge.won',
            'submission.created'
        )

),

spelled as (

    select
        *,
        case
            when event_type = 'submission.created' then 'submitted'
            else {{ regexp_replace_all('event_type', '^challenge[.]', '') }}
        end as step,
        {{ spelling('challenge_id') }} as challenge_word,
        {{ spelling('track_id') }} as track_word
    from events

),

-- How many completions are still to come; one at the same time as a join counts as later.
counted_down as (

    select
        *,
        count(case when step = 'completed' then 1 end) over (
            partition by user_key, challenge_word
            order by
                occurred_at desc,
                case when step = 'completed' then 0 else 1 end asc,
                event_id asc
            rows between unbounded preceding and current row
        ) as completions_left
    from spelled

),

completed as (

    select
        *,
        case
            when step = 'joined' and user_key is not null and challenge_word is not null
                then min(case when step = 'completed' then batch_id end) over (
                    partition by user_key, challenge_word, completions_left
                )
        end as completed_in
    from counted_down

),

-- What names published cells and is no word is unknown.
challenge_steps as (

    select
        -- ids
        event_id,
        case
            when completed_in != batch_id then batch_id || '+' || completed_in
            else batch_id
        end as batch_id,
        line_number,
        user_key,

        -- what happened, to what, and what became of it
        step,
        tenant_id,
        region,
        case
            when {{ is_word('challenge_word') }} then challenge_word
            else 'unknown'
        end as challenge,
        case
            when {{ is_word('track_word') }} then track_word
            else 'unknown'
        end as track,
        case when step = 'won' then rank end as rank,
        case
            when step != 'joined' then 'none'
            when completed_in is not null then 'completed'
            else 'open'
        end as outcome,

        -- times
        occurred_at,
        ingested_at
    from completed

)

select * from challenge_steps
