{#-
    A mart shows `amount_minor` only where k people sent the amounts and nobody sent more than half
    of it, and then as it is recounted from the fact. Rows without a subject count as one person.
    Says how many rows show too much, never which.
-#}
{% test amounts_have_people(model, fact, keys, subject, fact_where='true') %}
{{ config(fail_calc='coalesce(sum(rows_too_open), 0)') }}

with

people as (

    select
        {% for key in keys.values() -%}
        {{ key }},
        {% endfor -%}
        {{ subject }} as subject,
        sum(amount_minor) as amount
    from {{ fact }}
    where {{ fact_where }} and amount_minor is not null
    group by {{ keys.values() | join(', ') }}, {{ subject }}

),

recounted as (

    select
        {% for key in keys.values() -%}
        {{ key }},
        {% endfor -%}
        count(subject) as people,
        sum(amount) as amount,
        max(amount) as largest_amount
    from people
    group by {{ keys.values() | join(', ') }}

),

violations as (

    select mart.amount_minor
    from {{ model }} as mart
    left join recounted
        on
            {% for column, key in keys.items() -%}
            mart.{{ column }} = recounted.{{ key }}
            {{ 'and ' if not loop.last }}{% endfor %}
    where
        mart.amount_minor is not null
        and (
            coalesce(recounted.people, 0) < {{ var('k') }}
            or recounted.largest_amount * 2 > recounted.amount
            or recounted.amount != mart.amount_minor
        )

)

select count(*) as rows_too_open from violations
having count(*) > 0

{% endtest %}
