{#-
    A mart shows p50_ms only with k people behind it, p95_ms and p99_ms only with `tail_subjects`,
    or with `safe_rows` rows where its `category`, if the mart has one, is Other; recounted from the rows of the fact
    whose `measure` is there. Says how many rows show too much, never which.
-#}
{% test percentiles_have_people(model, fact, keys, subject, measure, category=none, fact_where='true') %}
{{ config(fail_calc='coalesce(sum(rows_too_open), 0)') }}

with

recounted as (

    select
        {% for key in keys.values() -%}
        {{ key }},
        {% endfor -%}
        count(distinct {{ subject }}) as people,
        count(*) as row_total
    from {{ fact }}
    where {{ fact_where }} and {{ measure }} is not null
    group by {{ keys.values() | join(', ') }}

),

violations as (

    select mart.p50_ms
    from {{ model }} as mart
    left join recounted
        on
            {% for column, key in keys.items() -%}
            mart.{{ column }} = recounted.{{ key }}
            {{ 'and ' if not loop.last }}{% endfor %}
    where
        (mart.p50_ms is not null and coalesce(recounted.people, 0) < {{ var('k') }})
        or (
            (mart.p95_ms is not null or mart.p99_ms is not null)
            and coalesce(recounted.people, 0) < {{ var('tail_subjects') }}
            and ({{ "mart." ~ category ~ " != 'Other' or" if category }} coalesce(recounted.row_total, 0) < {{ var('safe_rows') }})
        )

)

select count(*) as rows_too_open from violations
having count(*) > 0

{% endtest %}
