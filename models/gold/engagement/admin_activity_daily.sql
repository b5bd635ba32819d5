{{ config(
    materialized='incremental',
    incremental_strategy='renew',
    meta={'renews': {
        'days': 'period_start',
        'below': 'int_engagement__published_admin_actions',
        'day_below': 'done_on',
        'differ_by': 'labels',
    }}
) }}

with

admin_actions as (

    select * from {{ ref('int_engagement__published_admin_actions') }}
    where
        is_published
        and {{ is_renewed('done_on') }}

),

days as (

    select
        done_on as period_start,
        action,
        target_type,
        count(*) as actions,
        {{ shown_people('user_key') }} as subjects,
        max(labelled_at) as updated_at
    from admin_actions
    group by done_on, action, target_type

)

select * from days
