-- How many people tried to register with an e-mail address that is already in use? (S3-19)
{{ config(enabled=is_built('access')) }}
with

errors as (

    select * from {{ ref('attempt_errors_daily') }}
    where action = 'signup'

),

days as (

    select
        period_start,
        domain,
        cast(sum(email_already_used) as int64) as attempts,
        {{ ratio('sum(email_already_used)', 'sum(attempts)') }} as share_of_signups,
        -- One row of a day and domain has the code and its field; people do not add up over rows.
        max(case when error_code = 'email_taken' then subjects end) as at_least_people
    from errors
    group by period_start, domain

)

select * from days
order by period_start, domain
