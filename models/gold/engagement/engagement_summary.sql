{{ config(materialized='table') }}

{#- Figures of `user_activity`, and of `metrics` by their names: what is added stands here. -#}
{%- set of_activity = ['active_users', 'new_users', 'returning_users'] %}
{%- set of_metrics = ['challenge_participants', 'submissions', 'challenge_completions'] %}
{%- set row = ['period', 'period_start'] %}

-- Made of gold alone, which is small and outlives silver: nothing can follow from it that does not
-- follow from those two.
with

activity as (

    select * from {{ ref('user_activity') }}
    where period in ('day', 'week')

),

told_metrics as (

    select * from {{ ref('metrics') }}
    where
        period in ('day', 'week')
        and name in (
            {%- for name in of_metrics %}
                '{{ name }}'{{ ',' if not loop.last }}
            {%- endfor %}
        )

),

counted as (

    select
        {{ row | join(', ') }},
        {%- for name in of_metrics %}
            max(case when name = '{{ name }}' then cast(value as int64) end) as {{ name }},
        {%- endfor %}
        max(updated_at) as updated_at
    from told_metrics
    group by {{ row | join(', ') }}

),

days as (

    select period_start from activity
    where period = 'day'
    union distinct
    select period_start from counted
    where period = 'day'

),

periods as (

    select
        'day' as period,
        1 as days_long,
        period_start
    from days
    union distinct
    select
        'week' as period,
        7 as days_long,
        cast({{ iso_week(utc_day('period_start')) }} as timestamp) as period_start
    from days

),

-- A week without any activity has no row in `user_activity`.
joined as (

    select
        periods.period,
        periods.days_long,
        periods.period_start,
        {%- for name in of_activity %}
            case when activity.period is null then 0 else activity.{{ name }} end as {{ name }},
        {%- endfor %}
        {%- for name in of_metrics %}
            counted.{{ name }},
        {%- endfor %}
        periods.period_start < max(periods.period_start) over (partition by periods.period)
            as is_complete,
        greatest(
            coalesce(activity.updated_at, periods.period_start),
            coalesce(counted.updated_at, periods.period_start)
        ) as updated_at
    from periods
    left join activity on {{ same('periods', 'activity', row) }}
    left join counted on {{ same('periods', 'counted', row) }}

),

followed as (

    select
        *,
        {%- for name in of_activity + of_metrics %}
            lag({{ name }}) over in_order as previous_{{ name }},
        {%- endfor %}
        {{ utc_day('period_start') }} as period_day,
        lag({{ utc_day('period_start') }}) over in_order as previous_day
    from joined
    window in_order as (partition by period order by period_start)

),

judged as (

    select
        *,
        {%- for name in of_activity + of_metrics %}
            {{ name }} - previous_{{ name }} as change_of_{{ name }},
        {%- endfor %}
        is_complete
        and {{ date_distance('previous_day', 'period_day', 'day') }} = days_long as is_compared
    from followed

),

summary as (

    select
        {{ row | join(', ') }},
        {%- for name in of_activity + of_metrics %}
            {{ name }},
            case
                when is_compared
                    then {{ ratio('100 * change_of_' ~ name, 'previous_' ~ name) }}
            end as {{ name }}_change_percent,
        {%- endfor %}
        is_complete,
        updated_at
    from judged

)

select * from summary
