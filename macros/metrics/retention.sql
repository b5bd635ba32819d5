{#-
    Query for who of a cohort came back: a row per cohort (of `keys`, `cohort_keys` and cohort_date)
    and day N, with its size, the people who returned on day N (give or take the tolerance) and the
    rate, those who returned on day N or later, and is_mature. docs/funnels.md says what counts.

    What somebody did belongs to their cohort if both agree in the `keys`; `cohort_keys` are further
    columns of the cohorts alone. `joined_on` and `last_day`, the last day that is known whole, are
    expressions on the cohorts, `active_on` and `where` on the activity. Days are those of one zone:
    see local_day.
-#}
{%- macro retention(
    cohorts, activity, subject, joined_on, active_on, last_day, days=[1, 7, 14, 30], tolerance_days=0,
    period='day', keys=[], cohort_keys=[], where='true'
) -%}
{%- set cohort_columns = keys + cohort_keys + ['cohort_date'] -%}
{%- set cohort = cohort_columns | join(', ') -%}
    with

    {{ cohort_cells(
        cohorts=cohorts,
        subject=subject,
        keys=keys + cohort_keys,
        joined_on=joined_on,
        period=period,
        last_day=last_day,
        days=days,
        tolerance_days=tolerance_days
    ) }}

    retention_active_days as (

        select distinct
            {{ (keys + [subject]) | join(', ') }},
            {{ active_on }} as active_on
        from {{ activity }}
        where {{ where }}

    ),

    retention_returns as (

        select
            {% for column in cohort_columns + [subject] -%}
            cohort_members.{{ column }},
            {% endfor -%}
            {{ date_distance('cohort_members.joined_on', 'retention_active_days.active_on', 'day') }} as distance
        from cohort_members
        inner join retention_active_days
            on {{ same('cohort_members', 'retention_active_days', keys + [subject]) }}
        where retention_active_days.active_on between cohort_members.joined_on and cohort_members.last_day

    ),

    retention_on_day as (

        select
            {% for column in cohort_columns -%}
            retention_returns.{{ column }},
            {% endfor -%}
            cohort_days.day,
            count(distinct retention_returns.{{ subject }}) as people
        from retention_returns
        inner join cohort_days
            on retention_returns.distance between cohort_days.from_day and cohort_days.to_day
        group by
            {% for column in cohort_columns -%}
            retention_returns.{{ column }},
            {% endfor -%}
            cohort_days.day

    ),

    retention_last_returns as (

        select
            {{ cohort }},
            {{ subject }},
            max(distance) as distance
        from retention_returns
        group by {{ cohort }}, {{ subject }}

    ),

    retention_since_day as (

        select
            {% for column in cohort_columns -%}
            retention_last_returns.{{ column }},
            {% endfor -%}
            cohort_days.day,
            count(*) as people
        from retention_last_returns
        inner join cohort_days
            on retention_last_returns.distance >= cohort_days.day
        group by
            {% for column in cohort_columns -%}
            retention_last_returns.{{ column }},
            {% endfor -%}
            cohort_days.day

    ),

    retention_counts as (

        select
            cohort_cells.*,
            case when cohort_cells.is_mature then coalesce(retention_on_day.people, 0) end as returned,
            case when cohort_cells.is_mature then coalesce(retention_since_day.people, 0) end as returned_on_or_after
        from cohort_cells
        left join retention_on_day
            on {{ same('cohort_cells', 'retention_on_day', cohort_columns + ['day']) }}
        left join retention_since_day
            on {{ same('cohort_cells', 'retention_since_day', cohort_columns + ['day']) }}

    )

    select
        *,
        {{ ratio('returned', 'size') }} as rate,
        {{ ratio('returned_on_or_after', 'size') }} as rate_on_or_after
    from retention_counts
{%- endmacro -%}
