{{ config(materialized='view') }}

with

activity as (

    select * from {{ ref('int_engagement__published_activity') }}
    where is_published

),

first_uses as (

    select * from {{ ref('int_engagement__first_uses') }}

),

feature_uses as (

    select
        activity.event_id,
        activity.batch_id,
        activity.user_key,
        activity.active_on,
        activity.event_type as feature,
        activity.labelled_at,
        {{ iso_week('activity.active_on') }} as used_week,
        coalesce(
            {{ iso_week('first_uses.first_used_on') }} = {{ iso_week('activity.active_on') }}, false
        ) as is_first_week
    from activity
    left join first_uses on {{ same('activity', 'first_uses', ['user_key', 'event_type']) }}

)

select * from feature_uses
