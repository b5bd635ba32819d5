{#-
    CTEs for what is asked of cohorts on day N: `cohort_members`, a row per person, `cohort_days`, and
    `cohort_cells`, a row per cohort and day N with the size of the cohort and whether day N has passed
    for all of it.

    A cohort is a day, an ISO week or a month (`period`) of the days that `joined_on` gives. Day 0 is
    the person's own day of joining, not the cohort's first. Whoever is named twice joined when they
    first did. Day N is the days from `from_day` to `to_day`, if there is a tolerance; it never reaches
    day 0, on which everybody is there, unless N is 0.
-#}
{%- macro cohort_cells(cohorts, subject, keys, joined_on, period, last_day, days, tolerance_days=0) -%}
    {%- if period not in ['day', 'week', 'month'] -%}
        {{ exceptions.raise_compiler_error('cohort_cells: period is day, week or month, and not ' ~ period) }}
    {%- endif -%}
    {%- set start = {'day': 'joined_on', 'week': iso_week('joined_on'), 'month': month_start('joined_on')}[period] -%}
    {%- set length = {'day': '1 day', 'week': '7 day', 'month': '1 month'}[period] -%}
    {%- set group = keys | join(', ') ~ (', ' if keys else '') -%}
    cohort_joins as (

        select
            {{ group ~ subject }},
            {{ joined_on }} as joined_on,
            {{ last_day }} as last_day
        from {{ cohorts }}

    ),

    cohort_first_joins as (

        select
            {{ group ~ subject }},
            min(joined_on) as joined_on,
            min(last_day) as last_day
        from cohort_joins
        where {{ subject }} is not null and joined_on is not null
        group by {{ group ~ subject }}

    ),

    cohort_members as (

        select
            *,
            {{ start }} as cohort_date
        from cohort_first_joins

    ),

    -- Days that are known after the last one on which somebody may have joined.
    cohort_sizes as (

        select
            {{ group }}cohort_date,
            count(*) as size,
            {{ date_distance('cast(date_add(cohort_date, interval ' ~ length ~ ') as date)', 'min(last_day)', 'day') }} + 1 as known_days
        from cohort_members
        group by {{ group }}cohort_date

    ),

    cohort_days as (

        {% for day in days -%}
        select
            cast({{ day }} as int64) as day,
            {{ [day - tolerance_days, [day, 1] | min] | max }} as from_day,
            {{ day + tolerance_days }} as to_day
        {{ 'union all' if not loop.last }}
        {% endfor %}
    ),

    cohort_cells as (

        select
            {% for key in keys -%}
            cohort_sizes.{{ key }},
            {% endfor -%}
            cohort_sizes.cohort_date,
            cohort_sizes.size,
            cohort_days.day,
            cohort_days.to_day <= cohort_sizes.known_days as is_mature
        from cohort_sizes
        cross join cohort_days

    ),
{%- endmacro -%}
