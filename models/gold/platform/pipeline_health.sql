{{ config(materialized='table') }}

{%- set limits = var('health') %}
{%- set window_seconds = 86400 * limits.window_days %}
{%- set marts = gold_marts() %}

-- What is now, not what was: made anew with each build, of what the builds before it left.
with

tables_of_events as (

    {% for table in event_tables() %}
        select '{{ table }}' as table_name
        {{ 'union all' if not loop.last }}
    {% endfor %}
),

batches as (

    select
        table_name,
        received,
        rejected,
        ended_at,
        {{ seconds_between('began_at', 'ended_at') }} as landing_seconds,
        {{ seconds_between('ended_at', now_utc()) }} < {{ window_seconds }} as is_recent
    from {{ ref('stg_platform__batches') }}

),

landed as (

    select
        table_name,
        cast(sum(case when is_recent then received end) as int64) as received,
        cast(sum(case when is_recent then rejected end) as int64) as rejected,
        max(case when is_recent then landing_seconds end) as lag_seconds,
        max(ended_at) as last_update_time
    from batches
    group by table_name

),

numbered as (

    select
        table_name,
        case when count(numbers) = count(*) then cast(sum(numbers + missing) as int64) end
            as expected_count,
        case when count(numbers) = count(*) then cast(sum(numbers) as int64) end as actual_count
    from {{ ref('loss_ledger') }}
    where
        {{ date_distance('period_start', utc_day(now_utc()), 'day') }} < {{ limits.window_days }}
    group by table_name

),

runs as (

    select
        pipeline_id,
        pipeline_name,
        stage as part,
        status = 'succeeded' as is_done,
        rows_in,
        cadence,
        began_at,
        ended_at,
        case when stage = 'build' then 'processing' else 'storage' end as stage,
        {{ seconds_between('began_at', now_utc()) }} < {{ window_seconds }} as is_recent
    from {{ ref('stg_platform__pipeline_runs') }}

),

newest as (

    select max(last_update_time) as landed_at from landed

),

built as (

    select
        max(began_at) as began_at,
        max(ended_at) as ended_at
    from runs
    where is_done and pipeline_id = 'refresh' and part = 'build'

),

ran as (

    select
        pipeline_id,
        stage,
        cast(sum(case when is_recent then rows_in end) as int64) as rows_in,
        max(pipeline_name) as pipeline_name,
        max(case when is_done then ended_at end) as last_update_time,
        count(case when is_recent then 1 end) as all_runs,
        count(case when is_recent and not is_done then 1 end) as failed
    from runs
    group by pipeline_id, stage

),

published as (

    select
        ended_at,
        cadence
    from runs
    where is_done and pipeline_id = 'refresh' and part = 'publish'

),

marts as (

    {% for name, cadences in marts.items() %}
        {%- set is_last = loop.last %}
        {% for cadence in cadences %}
            select
                '{{ name }}' as mart,
                '{{ cadence }}' as granularity,
                {{ limits.freshness_seconds[cadence] }} as freshness_slo_seconds
            {{ 'union all' if not (is_last and loop.last) }}
        {% endfor %}
    {% endfor %}
),

-- A refresh without a cadence publishes all.
shown as (

    select
        marts.mart,
        marts.granularity,
        marts.freshness_slo_seconds,
        max(published.ended_at) as last_update_time
    from marts
    left join published
        on marts.granularity = coalesce(published.cadence, marts.granularity)
    group by marts.mart, marts.granularity, marts.freshness_slo_seconds

),

stages as (

    select
        tables_of_events.table_name as pipeline_id,
        'Landing in ' || tables_of_events.table_name as pipeline_name,
        'ingestion' as stage,
        cast(null as string) as granularity,
        landed.last_update_time,
        {{ limits.freshness_seconds.ingestion }} as freshness_slo_seconds,
        {{ ratio('landed.rejected', 'landed.received') }} as failure_rate,
        landed.lag_seconds,
        landed.received as rows_in,
        numbered.expected_count,
        numbered.actual_count
    from tables_of_events
    left join landed on tables_of_events.table_name = landed.table_name
    left join numbered on tables_of_events.table_name = numbered.table_name
    union all
    select
        ran.pipeline_id,
        ran.pipeline_name,
        ran.stage,
        null as granularity,
        ran.last_update_time,
        case
            when ran.pipeline_id = 'refresh' then {{ limits.freshness_seconds.refresh }}
        end as freshness_slo_seconds,
        {{ ratio('ran.failed', 'ran.all_runs') }} as failure_rate,
        case
            when ran.pipeline_id = 'refresh' and ran.stage = 'processing'
                then {{ seconds_between('built.began_at', 'newest.landed_at') }}
            when ran.pipeline_id = 'refresh'
                then {{ seconds_between('ran.last_update_time', 'built.ended_at') }}
        end as lag_seconds,
        ran.rows_in,
        null as expected_count,
        null as actual_count
    from ran
    cross join newest
    cross join built
    union all
    select
        shown.mart as pipeline_id,
        'Gold mart ' || shown.mart as pipeline_name,
        'aggregation' as stage,
        shown.granularity,
        shown.last_update_time,
        shown.freshness_slo_seconds,
        null as failure_rate,
        {{ seconds_between('shown.last_update_time', 'newest.landed_at') }} as lag_seconds,
        null as rows_in,
        null as expected_count,
        null as actual_count
    from shown
    cross join newest

),

measured as (

    select
        pipeline_id,
        pipeline_name,
        stage,
        granularity,
        last_update_time,
        freshness_slo_seconds,
        failure_rate,
        rows_in,
        expected_count,
        actual_count,
        case when lag_seconds < 0 then 0 else lag_seconds end as lag_seconds,
        {{ seconds_between('last_update_time', now_utc()) }} as freshness_seconds,
        {{ ratio('actual_count', 'expected_count') }} as completeness
    from stages

),

judged as (

    select
        *,
        {{ severity('freshness_seconds', 'freshness_slo_seconds') }} as freshness_alert,
        {{ severity('lag_seconds', 'freshness_slo_seconds') }} as lag_alert,
        {{ severity('failure_rate', limits.failure_rate) }} as failure_rate_alert,
        {{ severity('round(1 - completeness, 9)', (1 - limits.completeness) | round(9)) }}
            as completeness_alert
    from measured

),

counted as (

    select
        *,
        {%- for level in ['warning', 'critical', 'none'] %}
            {% for alert in ['freshness', 'completeness', 'failure_rate', 'lag'] -%}
                case when {{ alert }}_alert = '{{ level }}' then 1 else 0 end
                {{- ' + ' if not loop.last }}
            {% endfor %} as alerts_{{ level }},
        {%- endfor %}
        {{ now_utc() }} as updated_at
    from judged

),

health as (

    select
        pipeline_id,
        pipeline_name,
        stage,
        granularity,
        case
            when alerts_critical > 0 then 'down'
            when alerts_warning > 0 then 'degraded'
            when alerts_none > 0 then 'healthy'
        end as status,
        1 - failure_rate as success_rate,
        failure_rate,
        cast(round(lag_seconds) as int64) as lag_seconds,
        last_update_time,
        cast(round(freshness_seconds) as int64) as freshness_seconds,
        cast(freshness_slo_seconds as int64) as freshness_slo_seconds,
        cast(expected_count as int64) as expected_count,
        cast(actual_count as int64) as actual_count,
        completeness,
        case
            when completeness is not null then cast({{ limits.completeness }} as float64)
        end as completeness_slo,
        cast(rows_in as int64) as rows_in,
        freshness_alert,
        completeness_alert,
        failure_rate_alert,
        lag_alert,
        updated_at
    from counted

)

select * from health
