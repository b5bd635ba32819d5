{{ config(
    materialized='incremental',
    incremental_strategy='renew',
    meta={'renews': {
        'since': 'metric_time_series',
        'where': "dimension = 'total'",
        'told_by': ['count(*)', 'max(updated_at)', 'count(case when is_complete then 1 end)'],
    }}
) }}

with

catalogue as (

    {{ metric_catalogue() }}

),

totals as (

    select * from {{ ref('metric_time_series') }}
    where
        dimension = 'total'
        and {{ is_since('period_start') }}

),

metrics as (

    select
        totals.id,
        catalogue.category,
        -- As the interface calls it.
        totals.metric_name as name,  -- noqa: RF04
        totals.value,
        catalogue.unit,
        totals.granularity as period,
        totals.period_start,
        totals.timestamp,
        totals.subjects,
        totals.is_complete,
        totals.updated_at
    from totals
    inner join catalogue on totals.metric_name = catalogue.name

)

select * from metrics
