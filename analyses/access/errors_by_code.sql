-- Which error codes rise from one day to the next, whatever the language of the reply? (S3-27)
{{ config(enabled=is_built('access')) }}
with

requests as (

    select
        period_start,
        action as endpoint,
        error_code,
        attempts
    from {{ ref('attempt_errors_daily') }}
    where error_code != 'none'

),

deposits as (

    select
        period_start,
        'deposit' as endpoint,
        error_code,
        attempts
    from {{ ref('deposit_attempts_daily') }}
    where error_code != 'none'

),

errors as (

    select * from requests
    union all
    select * from deposits

),

days as (

    select
        period_start,
        endpoint,
        error_code,
        cast(sum(attempts) as int64) as attempts
    from errors
    group by period_start, endpoint, error_code

),

changes as (

    select
        *,
        attempts - lag(attempts) over (
            partition by endpoint, error_code order by period_start
        ) as attempts_change
    from days

)

select * from changes
order by period_start asc, endpoint asc, attempts desc
