{#-
    A mart shows an amount only where k people sent the amounts and nobody sent more than half of
    them, in every one of the `blocks` of its cell, and then as it is recounted from the fact. Rows
    without a subject count as one person. `amount` maps a column of the mart to an expression over
    the fact; `periods` names the day and hour of the fact where the mart has periods of several
    lengths. Where there are none, an amount may be 0. Says how many rows show too much, never which.
-#}
{% test amounts_have_people(
    model, fact, keys, subject, fact_where='true', amount={'amount_minor': 'amount_minor'}, blocks=[], periods=none
) %}
{{ config(fail_calc='coalesce(sum(rows_too_open), 0)') }}

{%- if periods -%}
    {%- set keys = dict(keys, period='period', period_start='period_start') -%}
{%- endif -%}
{%- set column, expression = (amount.items() | list)[0] -%}
{%- set cell = keys.values() | list -%}
{%- set block = (cell + blocks) | unique | list %}

with

published as (

    select * from {{ fact }}
    where {{ fact_where }}

),

{% if periods -%}
rows_of_fact as (

    {{ in_periods('published', periods['day'], periods.get('hour')) }}

),

{% endif -%}
people as (

    select
        {{ block | join(', ') }},
        {{ subject }} as subject,
        sum({{ expression }}) as amount,
        sum(abs({{ expression }})) as weight
    from {{ 'rows_of_fact' if periods else 'published' }}
    where {{ expression }} is not null
    group by {{ block | join(', ') }}, {{ subject }}

),

block_sums as (

    select
        {{ block | join(', ') }},
        count(subject) as people,
        sum(amount) as amount,
        sum(weight) - 2 * max(weight) as excess
    from people
    group by {{ block | join(', ') }}

),

recounted as (

    select
        {{ cell | join(', ') }},
        min(people) as people,
        min(excess) as excess,
        sum(amount) as amount
    from block_sums
    group by {{ cell | join(', ') }}

),

violations as (

    select mart.{{ column }}
    from {{ model }} as mart
    left join recounted
        on
            {% for name, key in keys.items() -%}
            mart.{{ name }} = recounted.{{ key }}
            {{ 'and ' if not loop.last }}{% endfor %}
    where
        mart.{{ column }} is not null
        and (
            (recounted.people is null and mart.{{ column }} != 0)
            or recounted.people < {{ var('k') }}
            or recounted.excess < 0
            or recounted.amount != mart.{{ column }}
        )

)

select count(*) as rows_too_open from violations
having count(*) > 0

{% endtest %}
