-- Which values of a dimension are most popular, and which gain or lose from day to day? (S0-25)
with

series as (

    select * from {{ ref('metric_time_series') }}
    where granularity = 'day' and metric_name in ('attempts', 'deposit_attempts')

),

shares as (

    select
        parts.period_start,
        parts.metric_name,
        parts.dimension,
        parts.dimension_value,
        parts.value,
        {{ ratio('parts.value', 'totals.value') }} as share
    from series as parts
    inner join series as totals
        on
            parts.metric_name = totals.metric_name
            and parts.period_start = totals.period_start
            and totals.dimension = 'total'
    where parts.dimension != 'total'

),

ranked as (

    select
        *,
        rank() over (
            partition by period_start, metric_name, dimension order by value desc
        ) as place,
        share - lag(share) over (
            partition by metric_name, dimension, dimension_value order by period_start
        ) as share_change
    from shares

)

select * from ranked
order by metric_name, dimension, period_start, place, dimension_value
