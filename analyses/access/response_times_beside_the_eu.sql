-- How much slower is each country than the European Union, such as Japan by 20 percent? (S3-22)
{{ config(enabled=is_built('access')) }}
with

response_times as (

    select * from {{ ref('response_times_daily') }}
    where difference_to_eu_percent is not null

),

-- Days weigh by their requests: a quiet day says less.
countries as (

    select
        action,
        country,
        count(*) as days_shown,
        cast(sum(attempts) as int64) as attempts,
        round({{ ratio('sum(p50_ms * attempts)', 'sum(attempts)') }}, 0) as mean_p50_ms,
        round({{ ratio('sum(difference_to_eu_percent * attempts)', 'sum(attempts)') }}, 1)
            as mean_difference_percent
    from response_times
    group by action, country

)

select * from countries
order by action asc, mean_difference_percent desc
