-- Which metrics of engagement fall below the day before, and which more than is usual? (S0-25)
with

trends as (

    select * from {{ ref('metric_trends') }}
    where period = 'day' and category in ('registration', 'login', 'deposits')

),

drops as (

    select
        period_start,
        category,
        name,
        value,
        value_change_percent,
        season_change_percent,
        z_score,
        pattern,
        coalesce(pattern in ('drop', 'down'), false) as is_unusual
    from trends
    where value_change_percent < 0

)

select * from drops
order by is_unusual desc, period_start desc, value_change_percent asc, name asc
