{#-
    A mart shows p50_ms only with k people behind it, p95_ms and p99_ms only with `tail_subjects`,
    or with `safe_rows` rows where its `category`, if the mart has one, is Other; recounted from the rows of the fact
    whose `measure` is there. Rows that are not of the fact are left out by `mart_where`. `median` and `tails` are what the mart calls them, and `hashed` is as in
    `k_anonymous`. Says how many rows show too much, never which.
-#}
{% test percentiles_have_people(
    model, fact, keys, subject, measure, category=none, fact_where='true', hashed={}, median='p50_ms',
    tails=['p95_ms', 'p99_ms'], mart_where='true'
) %}
{{ config(fail_calc='coalesce(sum(rows_too_open), 0)') }}

with

recounted as (

    select
        {% for key in keys.values() -%}
        {{ key }},
        {% endfor -%}
        count(distinct {{ subject }}) as people,
        count(*) as row_total
    from (
        select
            *
            {%- for column, source in hashed.items() %},
            {{ partner_id_hash(source) }} as {{ column }}
            {%- endfor %}
        from {{ fact }}
    ) as hashed
    where {{ fact_where }} and {{ measure }} is not null
    group by {{ keys.values() | join(', ') }}

),

violations as (

    select mart.{{ median }}
    from {{ model }} as mart
    left join recounted
        on
            {% for column, key in keys.items() -%}
            mart.{{ column }} = recounted.{{ key }}
            {{ 'and ' if not loop.last }}{% endfor %}
    where
        {{ mart_where }}
        and (
        (mart.{{ median }} is not null and coalesce(recounted.people, 0) < {{ var('k') }})
        or (
            ({% for tail in tails %}mart.{{ tail }} is not null{{ ' or ' if not loop.last }}{% endfor %})
            and coalesce(recounted.people, 0) < {{ var('tail_subjects') }}
            and ({{ "mart." ~ category ~ " != 'Other' or" if category }} coalesce(recounted.row_total, 0) < {{ var('safe_rows') }})
        )
        )

)

select count(*) as rows_too_open from violations
having count(*) > 0

{% endtest %}
