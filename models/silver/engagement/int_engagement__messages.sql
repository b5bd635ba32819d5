{{ config(materialized='view') }}

with

events as (

    select * from {{ ref('stg_engagement__events') }}
    where event_type in ('notification.sent', 'notification.delivered', 'notification.failed')

),

sendings as (

    select
        *,
        {{ spelling('channel') }} as channel_word,
        row_number() over (
            partition by coalesce(notification_key, event_id)
            order by occurred_at, event_id
        ) as number
    from events
    where event_type = 'notification.sent'

),

reports as (

    select
        notification_key,
        batch_id,
        {{ regexp_replace_all('event_type', '^notification[.]', '') }} as status,
        row_number() over (
            partition by notification_key
            order by occurred_at desc, event_id desc
        ) as number_from_end
    from events
    where event_type != 'notification.sent' and notification_key is not null

),

last_reports as (

    select * from reports
    where number_from_end = 1

),

-- What names published cells and is no word is unknown.
messages as (

    select
        -- ids
        sendings.event_id,
        case
            when last_reports.batch_id != sendings.batch_id
                then sendings.batch_id || '+' || last_reports.batch_id
            else sendings.batch_id
        end as batch_id,
        sendings.line_number,
        sendings.user_key,
        sendings.notification_key,

        -- which way it went, and what became of it
        sendings.tenant_id,
        sendings.region,
        case
            when {{ is_word('sendings.channel_word') }} then sendings.channel_word
            else 'unknown'
        end as channel,
        coalesce(last_reports.status, 'unheard') as status,

        -- times
        sendings.occurred_at,
        sendings.ingested_at
    from sendings
    left join last_reports on {{ same('sendings', 'last_reports', ['notification_key']) }}
    where sendings.number = 1

)

select * from messages
