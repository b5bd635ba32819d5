-- How many sign-ups were registered, blocked or refused on each day and domain? (S3-19)
{{ config(enabled=is_built('access')) }}
with

attempts as (

    select * from {{ ref('attempts_daily') }}
    where action = 'signup'

),

statuses as (

    select
        period_start,
        domain,
        status,
        cast(sum(attempts) as int64) as attempts
    from attempts
    group by period_start, domain, status

),

compared as (

    select
        *,
        {{ ratio('attempts', 'sum(attempts) over (partition by period_start, domain)') }} as share
    from statuses

)

select * from compared
order by period_start asc, domain asc, attempts desc
