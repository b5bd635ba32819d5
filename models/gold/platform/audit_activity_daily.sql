{{ config(materialized='table') }}

-- Made of what is kept as long as gold, hence a table.
with

log_entries as (

    select
        *,
        {{ utc_day('happened_at') }} as period_start
    from {{ ref('stg_platform__audit_entries') }}

),

counted as (

    select
        period_start,
        source,
        action,
        cast(sum(records) as int64) as records,
        count(*) as entries,
        count(case when is_refused then 1 end) as refused,
        max(recorded_at) as updated_at
    from log_entries
    group by period_start, source, action

),

windows as (

    select
        source,
        covers_from,
        covers_to,
        recorded_at,
        max(covers_to) over (
            partition by source
            order by covers_from, covers_to
            rows between unbounded preceding and 1 preceding
        ) as covered_before
    from log_entries
    where covers_to is not null

),

-- Windows overlap, and what is in several of them was brought once.
imports as (

    select
        source,
        covers_to,
        recorded_at,
        case
            when covered_before > covers_from then covered_before
            else covers_from
        end as covers_from
    from windows
    where covered_before is null or covered_before < covers_to

),

span as (

    select
        {{ utc_hour('min(covers_from)') }} as first_hour,
        {{ utc_hour(now_utc()) }} as last_hour
    from imports

),

hours as (

    {{ hours_between('span', 'first_hour', 'last_hour') }}

),

days as (

    select distinct
        {{ utc_day('hour_start') }} as period_start,
        cast({{ utc_day('hour_start') }} as timestamp) as day_start,
        cast(date_add({{ utc_day('hour_start') }}, interval 1 day) as timestamp) as day_end
    from hours

),

logs as (

    select
        source,
        min(covers_from) as covers_from,
        max(recorded_at) as updated_at
    from imports
    group by source

),

-- What there is of a day to be imported: from the first import on, and up to now.
due as (

    select
        days.period_start,
        logs.source,
        logs.updated_at,
        greatest(days.day_start, logs.covers_from) as due_from,
        least(days.day_end, {{ now_utc() }}) as due_to
    from days
    cross join logs
    where days.day_end > logs.covers_from

),

covered as (

    select
        due.period_start,
        due.source,
        sum({{ seconds_between(
            'greatest(due.due_from, imports.covers_from)', 'least(due.due_to, imports.covers_to)'
        ) }}) as seconds_covered
    from due
    inner join imports
        on
            due.source = imports.source
            and due.due_from < imports.covers_to
            and due.due_to > imports.covers_from
    group by due.period_start, due.source

),

spans as (

    select
        due.period_start,
        due.source,
        due.updated_at,
        coalesce(covered.seconds_covered, 0) as seconds_covered,
        {{ seconds_between('due.due_from', 'due.due_to') }} as seconds_due
    from due
    left join covered on {{ same('due', 'covered', ['period_start', 'source']) }}

),

gaps as (

    select
        period_start,
        source,
        updated_at,
        cast(round((seconds_due - seconds_covered) / 60) as int64) as missing_minutes
    from spans

),

-- A day of another log on which nothing was asked is a 0 where it was imported, else a null.
quiet as (

    select
        gaps.period_start,
        gaps.source,
        gaps.updated_at,
        'query' as quiet_action,
        cast(null as int64) as records,
        case when gaps.missing_minutes = 0 then 0 end as entries,
        case when gaps.missing_minutes = 0 then 0 end as refused
    from gaps
    left join counted
        on
            {{ same('gaps', 'counted', ['period_start', 'source']) }}
            and counted.action = 'query'
    where counted.source is null

),

told as (

    select
        period_start,
        source,
        action,
        entries,
        refused,
        records,
        updated_at
    from counted
    union all
    select
        period_start,
        source,
        quiet_action,
        entries,
        refused,
        records,
        updated_at
    from quiet

),

activity as (

    select
        told.period_start,
        told.source,
        told.action,
        told.entries,
        told.refused,
        told.records,
        told.updated_at,
        gaps.missing_minutes,
        coalesce(gaps.missing_minutes, 0) = 0 as is_covered
    from told
    left join gaps on {{ same('told', 'gaps', ['period_start', 'source']) }}

)

select * from activity
