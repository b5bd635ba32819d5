-- Is a rate limit told apart from an unknown error, and how many errors are still unknown? (S3-32)
{{ config(enabled=is_built('access')) }}
with

errors as (

    select * from {{ ref('attempt_errors_daily') }}
    where error_code != 'none'

),

days as (

    select
        period_start,
        domain,
        action,
        cast(sum(attempts) as int64) as errors,
        cast(
            sum(case when error_code = 'rate_limited' then attempts else 0 end) as int64
        ) as rate_limited,
        cast(
            sum(case when error_code = 'unclassified' then attempts else 0 end) as int64
        ) as unclassified
    from errors
    group by period_start, domain, action

),

shares as (

    select
        *,
        {{ ratio('rate_limited', 'errors') }} as rate_limited_share,
        {{ ratio('unclassified', 'errors') }} as unclassified_share
    from days

)

select * from shares
order by period_start, domain, action
