-- Which channel fails, and when, as far as enough people stand behind it? (S0-16)
{{ config(enabled=is_built('engagement')) }}
with

delivery as (

    select * from {{ ref('notification_delivery') }}
    where failed is not null

),

failing as (

    select
        channel,
        period,
        period_start,
        hour_of_week,
        sent,
        failed,
        failed_rate
    from delivery
    where failed > 0

)

select * from failing
order by failed_rate desc, failed desc, channel asc, period asc, period_start asc
