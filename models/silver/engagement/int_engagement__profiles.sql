{{ config(materialized='view') }}

-- What a profile is on a day is what it was last told to be by the end of it.
with

updates as (

    select
        user_key,
        {{ utc_day('occurred_at') }} as told_on,
        fields_filled,
        fields_total,
        row_number() over (
            partition by user_key, {{ utc_day('occurred_at') }}
            order by occurred_at desc, event_id desc
        ) as place_from_end
    from {{ ref('stg_engagement__events') }}
    where event_type = 'account.profile_updated' and user_key is not null

),

last_of_day as (

    select * from updates
    where place_from_end = 1

),

profiles as (

    select
        user_key,
        told_on,
        fields_filled,
        fields_total,
        lead(told_on) over (partition by user_key order by told_on) as told_again_on
    from last_of_day

)

select * from profiles
