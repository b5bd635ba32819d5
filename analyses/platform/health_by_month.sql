-- Did what was sent arrive each month, soon and in good shape, and were requests answered? (S0-37)
-- A producer's numbers should come but for one in a hundred.
with

health as (

    select * from {{ ref('platform_health_monthly') }}

),

judged as (

    select
        period_start,
        domain,
        events,
        {{ ratio('refused', 'events') }} as refused_rate,
        completeness,
        completeness < 0.99 as is_incomplete,
        freshness_p95_seconds,
        failed_runs,
        errors_per_1000,
        p95_ms
    from health
    where
        events > 0
        or failed_runs is not null
        or errors_per_1000 is not null

)

select * from judged
order by period_start desc, domain asc
