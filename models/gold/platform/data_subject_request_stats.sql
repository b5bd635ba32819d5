{{ config(materialized='table') }}

-- Made of what is kept as long as gold, hence a table.
with

requests as (

    select
        *,
        {{ month_start(utc_day('opened_at')) }} as period_start
    from {{ ref('int_platform__data_subject_requests') }}

),

months as (

    select
        period_start,
        kind,
        status,
        count(*) as requests,
        count(case when completed_at is null then 1 end) as open_requests,
        count(case when completed_at > due_at then 1 end) as answered_late,
        avg(
            cast({{ date_distance(
                utc_day('opened_at'), utc_day('completed_at'), 'day'
            ) }} as float64)
        ) as mean_days_to_answer,
        max(updated_at) as updated_at
    from requests
    group by period_start, kind, status

)

select * from months
