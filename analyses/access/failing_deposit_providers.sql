-- Which payment provider fails most, and with which error? (S3-34)
{{ config(enabled=is_built('access')) }}
with

deposits as (

    select * from {{ ref('deposit_attempts_daily') }}

),

errors as (

    select
        provider,
        method,
        error_code,
        cast(sum(attempts) as int64) as attempts
    from deposits
    group by provider, method, error_code

),

compared as (

    select
        *,
        {{ ratio('attempts', 'sum(attempts) over (partition by provider, method)') }} as share
    from errors

),

failures as (

    select * from compared
    where error_code != 'none'

)

select * from failures
order by share desc, provider asc, method asc
