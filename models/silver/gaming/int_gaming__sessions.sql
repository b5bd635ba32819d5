{{ config(materialized='view') }}

-- An id is of one session at its brand, from when it first started until it last ended.
with

events as (

    select
        *,
        row_number() over (
            partition by brand, session_key
            order by event_type desc, occurred_at asc, event_id asc
        ) as number
    from {{ ref('int_gaming__events') }}
    where event_type in ('session.started', 'session.ended')

),

sessions as (

    select
        max(case when number = 1 then event_id end) as event_id,
        string_agg(distinct batch_id, '+' order by batch_id) as batch_id,
        session_key,
        coalesce(max(case when number = 1 then user_key end), max(user_key)) as user_key,
        brand,
        {%- for column in ['region', 'device', 'geo'] %}
            coalesce(
                max(case when number = 1 then {{ column }} end),
                max({{ column }}),
                'unknown'
            ) as {{ column }},
        {%- endfor %}
        min(case when event_type = 'session.started' then occurred_at end) as started_at,
        max(case when event_type = 'session.ended' then occurred_at end) as ended_at,
        max(ingested_at) as heard_at
    from events
    group by brand, session_key

),

measured as (

    select
        *,
        {{ milliseconds_between('started_at', 'ended_at') }} as length_ms
    from sessions

)

select * from measured
