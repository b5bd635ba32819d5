{{ config(materialized='table') }}

{%- set pipeline = ['pipeline_id', 'stage'] %}
{%- set hour = pipeline + ['period_start'] %}

-- Hours in which nothing ran are rows, too: there a pipeline that stands still is seen.
with

batches as (

    select
        table_name as pipeline_id,
        'ingestion' as stage,
        received,
        accepted,
        rejected,
        rejected > 0 and rejected = received as is_failed,
        began_at,
        ended_at,
        {{ utc_hour('ended_at') }} as ended_hour
    from {{ ref('stg_platform__batches') }}

),

-- One that was killed never ended.
runs as (

    select
        pipeline_id,
        stage as part,
        status != 'succeeded' as is_failed,
        rows_in,
        began_at,
        coalesce(ended_at, began_at) as ended_at,
        case when stage = 'build' then 'processing' else 'storage' end as stage,
        {{ utc_hour('coalesce(ended_at, began_at)') }} as ended_hour
    from {{ ref('stg_platform__pipeline_runs') }}

),

builds as (

    select
        began_at,
        max(ended_at) as ended_at
    from runs
    where pipeline_id = 'refresh' and part = 'build' and not is_failed
    group by began_at

),

in_order as (

    select
        began_at as happened_at,
        began_at as build_began_at,
        1 as is_build,
        cast(null as int64) as accepted
    from builds
    union all
    select
        ended_at as happened_at,
        cast(null as timestamp) as build_began_at,
        0 as is_build,
        accepted
    from batches

),

-- A batch is taken up by the first build that began once it was there.
taken as (

    select
        happened_at as landed_at,
        accepted,
        is_build,
        min(build_began_at) over (
            order by happened_at desc, is_build desc
            rows between unbounded preceding and current row
        ) as build_began_at
    from in_order

),

taken_up as (

    select
        builds.ended_at,
        min(taken.landed_at) as first_landed_at,
        sum(taken.accepted) as rows_in
    from builds
    inner join taken on builds.began_at = taken.build_began_at and taken.is_build = 0
    group by builds.ended_at

),

published as (

    select
        runs.ended_at,
        max(builds.ended_at) as built_at
    from runs
    inner join builds on runs.began_at >= builds.ended_at
    where runs.pipeline_id = 'refresh' and runs.part = 'publish' and not runs.is_failed
    group by runs.ended_at

),

done as (

    select
        {{ pipeline | join(', ') }},
        ended_hour,
        is_failed,
        received as rows_in,
        ended_at,
        {{ seconds_between('began_at', 'ended_at') }} as lag_seconds
    from batches
    union all
    select
        {{ qualified('runs', pipeline) }},
        runs.ended_hour,
        runs.is_failed,
        runs.rows_in,
        runs.ended_at,
        case
            when runs.pipeline_id = 'refresh' and runs.stage = 'processing'
                then {{ seconds_between('taken_up.first_landed_at', 'runs.ended_at') }}
            when runs.pipeline_id = 'refresh'
                then {{ seconds_between('published.built_at', 'runs.ended_at') }}
        end as lag_seconds
    from runs
    left join taken_up
        on runs.ended_at = taken_up.ended_at and runs.stage = 'processing' and not runs.is_failed
    left join published
        on runs.ended_at = published.ended_at and runs.part = 'publish' and not runs.is_failed

),

counted as (

    select
        {{ pipeline | join(', ') }},
        ended_hour as period_start,
        count(*) as all_runs,
        count(case when is_failed then 1 end) as failures,
        cast(sum(rows_in) as int64) as rows_in,
        max(lag_seconds) as lag_seconds,
        max(case when not is_failed then ended_at end) as last_done_at
    from done
    group by {{ pipeline | join(', ') }}, ended_hour

),

span as (

    select
        min(ended_hour) as first_hour,
        max(ended_hour) as last_hour,
        max(ended_at) as newest
    from done

),

hours as (

    {{ hours_between('span', 'first_hour', 'last_hour') }}

),

pipelines as (

    select
        {{ pipeline | join(', ') }},
        min(period_start) as first_hour
    from counted
    group by {{ pipeline | join(', ') }}

),

cells as (

    select
        {{ qualified('pipelines', pipeline) }},
        hours.hour_start as period_start,
        {{ hour_after('hours.hour_start') }} as period_end
    from pipelines
    inner join hours on pipelines.first_hour <= hours.hour_start

),

-- What waits for a build: all that landed, less what builds took up.
waiting as (

    select
        ended_hour as period_start,
        accepted as row_change
    from batches
    union all
    select
        {{ utc_hour('ended_at') }} as period_start,
        -rows_in as row_change
    from taken_up

),

changes as (

    select
        period_start,
        sum(row_change) as row_change
    from waiting
    group by period_start

),

backlogs as (

    select
        hours.hour_start as period_start,
        sum(coalesce(changes.row_change, 0)) over (
            order by hours.hour_start rows between unbounded preceding and current row
        ) as row_total
    from hours
    left join changes on hours.hour_start = changes.period_start

),

filled as (

    select
        {{ qualified('cells', hour) }},
        case when cells.period_end < span.newest then cells.period_end else span.newest end
            as known_until,
        coalesce(counted.all_runs, 0) as all_runs,
        coalesce(counted.failures, 0) as failures,
        coalesce(counted.rows_in, 0) as rows_in,
        counted.lag_seconds,
        max(counted.last_done_at) over (
            partition by {{ qualified('cells', pipeline) }}
            order by cells.period_start rows between unbounded preceding and current row
        ) as last_done_at,
        case
            when cells.pipeline_id = 'refresh' and cells.stage = 'processing'
                then backlogs.row_total
        end as backlog
    from cells
    cross join span
    inner join backlogs on cells.period_start = backlogs.period_start
    left join counted on {{ same('cells', 'counted', hour) }}

),

health as (

    select
        period_start,
        {{ pipeline | join(', ') }},
        all_runs as runs,
        failures,
        rows_in,
        cast(round(lag_seconds) as int64) as lag_seconds,
        cast(round({{ seconds_between('last_done_at', 'known_until') }}) as int64)
            as freshness_seconds,
        cast(backlog as int64) as backlog_rows,
        known_until as updated_at
    from filled

)

select * from health
