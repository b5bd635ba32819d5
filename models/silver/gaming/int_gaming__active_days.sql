{{ config(
    materialized='incremental',
    incremental_strategy='renew',
    meta={'renews': {
        'days': 'active_on',
        'below': 'int_gaming__activity',
        'day_below': 'active_on',
        'told_by': ['count(*)', 'max(heard_at)'],
        'told_here': ['sum(moments)', 'max(heard_at)'],
    }}
) }}

-- A day of a person counts once at each brand, in the region where it began.
with

activity as (

    select * from {{ ref('int_gaming__activity') }}
    where {{ is_renewed('active_on') }}

),

numbered as (

    select
        *,
        row_number() over (
            partition by user_key, brand, active_on
            order by active_at, event_id
        ) as number,
        count(*) over (partition by user_key, brand, active_on) as moments,
        max(heard_at) over (partition by user_key, brand, active_on) as last_heard_at
    from activity

),

active_days as (

    select
        event_id,
        batch_id,
        user_key,
        brand,
        region,
        active_on,
        moments,
        last_heard_at as heard_at
    from numbered
    where number = 1

)

select * from active_days
