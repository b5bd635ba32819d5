-- In which hours does a metric leap, against its usual hour or the hour before? (S0-25, S0-27)
with

trends as (

    select * from {{ ref('metric_trends') }}
    where period = 'hour'

),

spikes as (

    select
        period_start,
        category,
        name,
        value,
        value_change_percent,
        z_score,
        pattern,
        verdict,
        coalesce(pattern in ('spike', 'burst'), false) as is_unusual
    from trends
    where
        pattern in ('spike', 'burst')
        or (window_points is null and value_change_percent >= 100)

)

select * from spikes
order by is_unusual desc, value_change_percent desc, period_start asc, name asc
