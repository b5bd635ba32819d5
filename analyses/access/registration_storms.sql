-- In which hours did a registration endpoint return more than 100 errors? (S3-20)
{{ config(enabled=is_built('access')) }}
with

signups as (

    select * from {{ ref('attempts_hourly') }}
    where action = 'signup'

),

hours as (

    select
        period_start,
        domain,
        cast(sum(errors) as int64) as errors,
        cast(sum(attempts) as int64) as attempts
    from signups
    group by period_start, domain

),

storms as (

    select
        *,
        {{ ratio('errors', 'attempts') }} as error_rate
    from hours
    where errors > 100

)

select * from storms
order by period_start, domain
