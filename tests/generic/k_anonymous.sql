{#-
    Every row of a mart stands for at least `k` distinct subjects, recounted from the rows of its
    fact, or, where `safe_rows` is given, for that many rows; then its `category`, if the mart has
    one, must be Other. What it shows as `subjects` and in the column `counted` is what is recounted.
    `keys` maps columns of the mart to columns of the fact; `periods` names the day and hour of the
    fact where the mart has periods of several lengths, and what is `told` of longer ones. A row with no such cell in the fact fails
    too, unless the mart `shows_none` and the row says 0. Rows that are not of the fact are left out by
    `mart_where`; `hashed` maps columns of the mart to columns of the fact that they are the
    `partner_id_hash` of, in `hash_domain` where it is not that of gold; a mart without `subjects` says
    `shows_people: false`. Where rows stand for one thing each, `rows_of` names the column of its
    pseudonym, and the rows that share the keys are one cell. Says how many rows fail, never which.

    With `of_metrics`, the mart is one of the figures of the metric contract, recounted metric by
    metric from their facts. With `made_of`, it repeats figures of another mart and has no others:
    `keys` says which of its columns are which of that mart's.
-#}
{% test k_anonymous(
    model, fact=none, keys=none, subject=none, safe_rows=none, category=none, fact_where='true', k=none,
    of_metrics=false, made_of=none, counted='attempts', periods=none, shows_none=false,
    mart_where='true', hashed={}, shows_people=true, hash_domain=none, rows_of=none
) %}
{{ config(fail_calc='coalesce(sum(rows_too_small), 0)') }}

{% if of_metrics -%}
{{ metrics_too_small(model) }}
{%- elif made_of -%}
{{ rows_not_of(model, made_of, keys) }}
{%- else -%}
{%- if periods -%}
    {%- set keys = dict(keys, period='period', period_start='period_start') -%}
{%- endif -%}
with

published as (

    select
        *
        {%- for column, source in hashed.items() %},
        {{ partner_id_hash(source, hash_domain) }} as {{ column }}
        {%- endfor %}
    from {{ fact }}
    where {{ fact_where }}

),

{% if periods -%}
rows_of_fact as (

    {{ in_periods('published', periods['day'], periods.get('hour'), told=periods.get('told', {})) }}

),

{% endif -%}
recounted as (

    select
        {% for key in keys.values() -%}
        {{ key }},
        {% endfor -%}
        count(distinct {{ subject }}) as people,
        count(*) as row_total
    from {{ 'rows_of_fact' if periods else 'published' }}
    group by {{ keys.values() | join(', ') }}

),

{% if rows_of -%}
cells as (

    select
        {{ keys.keys() | join(', ') }},
        count(distinct {{ rows_of }}) as {{ counted }}
    from {{ model }}
    where {{ mart_where }}
    group by {{ keys.keys() | join(', ') }}

),

{% endif -%}
checked as (

    select
        recounted.people,
        recounted.row_total,
        {{ 'mart.subjects' if shows_people and not rows_of else 'cast(null as int64)' }} as subjects,
        mart.{{ counted }} as row_count,
        {{ "mart." ~ category if category else "'Other'" }} as category
    from {{ 'cells' if rows_of else model }} as mart
    left join recounted
        on
            {% for column, key in keys.items() -%}
            {{ 'cast(mart.period_start as timestamp)' if periods and column == 'period_start' else 'mart.' ~ column }} = recounted.{{ key }}
            {{ 'and ' if not loop.last }}{% endfor %}
    where {{ 'true' if rows_of else mart_where }}

),

violations as (

    select * from checked
    where
        {% if shows_none -%}
        (people is not null or coalesce(row_count, -1) != 0) and
        {%- endif %}
        (
            people is null
            or row_total != coalesce(row_count, -1)
            or (
                people < {{ k or var('k') }}
                and (category != 'Other' or row_total < {{ safe_rows or 9223372036854775807 }})
            )
            {%- if shows_people and not rows_of %}
            or coalesce(subjects, -1) != case when people >= {{ k or var('k') }} then people else -1 end
            {%- endif %}
        )

)

select count(*) as rows_too_small from violations
having count(*) > 0
{%- endif %}

{% endtest %}
