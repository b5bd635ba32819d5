{#-
    CTEs `timed` and `cells`: attempts, people and response times of each cell of `keys`.

    A percentile says more about single people than a count does, so it has thresholds of its own:
    the median needs k people, the tail 50, or 100 rows where the cell is made of safe keys only.
    Only attempts with a duration count towards them.
-#}
{%- macro response_time_cells(relation, keys) -%}
timed as (

    select
        *,
        {{ percentile('duration_ns / 1e6', 0.5, keys) }} as p50,
        {{ percentile('duration_ns / 1e6', 0.95, keys) }} as p95,
        {{ percentile('duration_ns / 1e6', 0.99, keys) }} as p99
    from {{ relation }}

),

counted as (

    select
        {{ keys | join(', ') }},
        count(*) as attempts,
        count(distinct subject_key) as people,
        count(duration_ns) as timed_rows,
        count(distinct case when duration_ns is not null then subject_key end) as timed_people,
        min(case when is_safe_cell then 1 else 0 end) = 1 as is_safe_cell,
        any_value(p50) as p50,
        any_value(p95) as p95,
        any_value(p99) as p99,
        max(labelled_at) as updated_at
    from timed
    group by {{ keys | join(', ') }}

),

cells as (

    select
        {{ keys | join(', ') }},
        attempts,
        case when people >= {{ var('k') }} then people end as subjects,
        case when timed_people >= {{ var('k') }} then p50 end as p50,
        case
            when timed_people >= {{ var('tail_subjects') }} then p95
            when is_safe_cell and timed_rows >= {{ var('safe_rows') }} then p95
        end as p95,
        case
            when timed_people >= {{ var('tail_subjects') }} then p99
            when is_safe_cell and timed_rows >= {{ var('safe_rows') }} then p99
        end as p99,
        updated_at
    from counted

),
{%- endmacro -%}
