-- Which errors do people meet most often, and at which field of the form? (S3-21)
{{ config(enabled=is_built('access')) }}
with

errors as (

    select * from {{ ref('attempt_errors_daily') }}
    where error_code != 'none'

),

totals as (

    select
        action,
        error_code,
        field,
        cast(sum(attempts) as int64) as attempts
    from errors
    group by action, error_code, field

),

ranked as (

    select
        *,
        {{ ratio('attempts', 'sum(attempts) over (partition by action)') }} as share_of_errors,
        row_number() over (
            partition by action order by attempts desc, error_code asc, field asc
        ) as place
    from totals

)

select * from ranked
order by action, place
