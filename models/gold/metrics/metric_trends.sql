{{ config(
    materialized='incremental',
    incremental_strategy='renew',
    meta={'renews': {
        'since': 'metrics',
        'where': 'is_complete',
        'told_by': ['count(*)', 'max(updated_at)'],
    }}
) }}

{%- set row = ['name', 'period', 'period_start'] %}
{%- set season = ['name', 'period', 'season'] %}

with

catalogue as (

    {{ metric_catalogue() }}

),

-- An hour is held against the same hour of the week, a day against the same weekday, a week or a
-- month against those before it. No period is missing, so places are distances in time.
points as (

    select
        *,
        row_number() over (partition by {{ season | join(', ') }} order by period_start) as place,
        lag(value) over (partition by name, period order by period_start) as previous_value,
        case
            when period in ('hour', 'day')
                then lag(value) over (partition by {{ season | join(', ') }} order by period_start)
        end as season_value
    from (
        select
            *,
            case period
                when 'hour'
                    then 24 * extract(dayofweek from period_start) + extract(hour from period_start)
                when 'day' then extract(dayofweek from period_start)
                else 0
            end as season
        from {{ ref('metrics') }}
        where is_complete
    ) as complete

),

judged_points as (

    select * from points
    where {{ is_since('period_start') }}

),

-- What a period is held against: so many values of its season before it.
windows as (

    select
        {% for column in row %}
            judged_points.{{ column }},
        {% endfor %}
        judged_points.value,
        past.value as past_value,
        past.place - judged_points.place as place,
        coalesce(past.subjects, 0) as subjects
    from judged_points
    inner join points as past
        on
            {{ same('judged_points', 'past', season) }}
            and judged_points.place > past.place
            and judged_points.place <= past.place + {{ var('trend_window') }}
    where judged_points.value is not null and past.value is not null

),

medians as (

    select
        *,
        {{ percentile('past_value', 0.5, row) }} as median,
        {{ percentile('subjects', 0.5, row) }} as people
    from windows

),

deviations as (

    select
        *,
        {{ percentile('abs(past_value - median)', 0.5, row) }} as median_deviation
    from medians

),

spreads as (

    select
        {{ row | join(', ') }},
        count(*) as window_points,
        any_value(median) as median,
        any_value(people) as people,
        any_value(median_deviation) as median_deviation,
        avg(abs(past_value - median)) as mean_deviation,
        min(past_value) as lowest,
        max(past_value) as highest
    from deviations
    group by {{ row | join(', ') }}

),

lines as (

    select
        {{ row | join(', ') }},
        place,
        past_value as height
    from windows
    union all
    select
        {{ row | join(', ') }},
        0 as place,
        value as height
    from judged_points
    where value is not null

),

-- Theil and Sen: the median slope of all pairs. Mann and Kendall: how many more rise than fall.
slopes as (

    select
        {% for column in row %}
            earlier.{{ column }},
        {% endfor %}
        (later.height - earlier.height) / (later.place - earlier.place) as slope
    from lines as earlier
    inner join lines as later on {{ same('earlier', 'later', row) }} and earlier.place < later.place

),

ranked_slopes as (

    select
        *,
        {{ percentile('slope', 0.5, row) }} as median_slope
    from slopes

),

directions as (

    select
        {{ row | join(', ') }},
        any_value(median_slope) as slope,
        sum(sign(slope)) as rising_pairs
    from ranked_slopes
    group by {{ row | join(', ') }}

),

scored as (

    select
        judged_points.*,
        catalogue.direction,
        catalogue.spike,
        spreads.window_points,
        spreads.median as window_median,
        case
            when spreads.median_deviation > 0
                then 0.6745 * (judged_points.value - spreads.median) / spreads.median_deviation
            when spreads.mean_deviation > 0
                then (judged_points.value - spreads.median) / (1.253314 * spreads.mean_deviation)
            when judged_points.value = spreads.median then 0
        end as z_score,
        case
            when spreads.window_points + 1 >= {{ var('trend_points') }} then directions.slope
        end as slope,
        -- One of the window is as far off only by chance.
        spreads.window_points >= {{ var('spike_points') }}
        and (catalogue.is_additive or spreads.people >= {{ var('tail_subjects') }})
        and abs(judged_points.value - spreads.median)
        >= {{ var('spike_change') }} * abs(spreads.median)
        and (
            judged_points.value > spreads.highest + (spreads.highest - spreads.lowest)
            or judged_points.value < spreads.lowest - (spreads.highest - spreads.lowest)
        ) as is_outside,
        abs(directions.slope * spreads.window_points)
        >= {{ var('trend_change') }} * abs(spreads.median)
        and abs(directions.rising_pairs) >= 3.3 * sqrt(
            spreads.window_points * (spreads.window_points + 1)
            * (2 * spreads.window_points + 7) / 18
        ) as is_steady
    from judged_points
    inner join catalogue on judged_points.name = catalogue.name
    left join spreads on {{ same('judged_points', 'spreads', row) }}
    left join directions on {{ same('judged_points', 'directions', row) }}

),

patterns as (

    select
        *,
        case
            when slope is null or (z_score is null and window_median = 0) then null
            when is_outside and coalesce(abs(z_score), 3.5) >= 3.5
                then case when value > window_median then spike else 'drop' end
            when is_steady then case when slope > 0 then 'up' else 'down' end
            else 'flat'
        end as pattern
    from scored

),

trends as (

    select
        name,
        category,
        period,
        period_start,
        value,
        value - previous_value as value_change,
        100 * {{ ratio('value - previous_value', 'previous_value') }} as value_change_percent,
        value - season_value as season_change,
        100 * {{ ratio('value - season_value', 'season_value') }} as season_change_percent,
        window_points,
        window_median,
        z_score,
        slope,
        pattern,
        case
            when pattern = 'flat' or pattern is null then null
            when direction = 'neutral' then 'neutral'
            when (pattern in ('up', 'spike', 'burst')) = (direction = 'up_is_good') then 'good'
            else 'bad'
        end as verdict,
        updated_at
    from patterns

)

select * from trends
