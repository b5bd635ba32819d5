{{ config(materialized='incremental', unique_key=['user_key', 'brand', 'cohort_kind']) }}

-- Kept for good, since the event that makes a member expires and the person may still come back.
with

beginnings as (

    select
        user_key,
        brand,
        occurred_at,
        case event_type
            when 'account.registered' then 'registration'
            else 'first_deposit'
        end as cohort_kind
    from {{ ref('int_gaming__events') }}
    where
        user_key is not null
        and (
            event_type in ('account.registered', 'payment.captured')
            or (event_type = 'wallet.credit' and reason = 'deposit')
        )

),

firsts as (

    select
        user_key,
        brand,
        cohort_kind,
        min(occurred_at) as joined_at
    from beginnings
    group by user_key, brand, cohort_kind

),

brands as (

    select * from {{ ref('brands') }}

),

placed as (

    select
        firsts.user_key,
        firsts.brand,
        firsts.cohort_kind,
        firsts.joined_at,
        {{ local_day('firsts.joined_at', "coalesce(brands.time_zone, 'UTC')") }} as cohort_date
    from firsts
    left join brands on firsts.brand = brands.brand

),

-- A day is told anew where the brand's time zone is another one.
changed as (

    select placed.*
    from placed
    {% if is_incremental() %}
        left join {{ this }} as known
            on {{ same('placed', 'known', ['user_key', 'brand', 'cohort_kind']) }}
        where
            known.joined_at is null
            or placed.joined_at < known.joined_at
            or (placed.joined_at = known.joined_at and placed.cohort_date != known.cohort_date)
    {% endif %}

)

select * from changed
