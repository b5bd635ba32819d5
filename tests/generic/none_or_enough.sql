{#-
    Each of these numbers of people is 0 or at least k, or is not told, and so is what it leaves of
    `whole`, the number of all. Says how many rows fail, never which.
-#}
{% test none_or_enough(model, columns, whole) %}
{{ config(fail_calc='coalesce(sum(rows_too_small), 0)') }}

with

violations as (

    select {{ whole }}
    from {{ model }}
    where
        {% for column in columns -%}
        ({{ column }} > 0 and {{ column }} < {{ var('k') }})
        or ({{ column }} < {{ whole }} and {{ whole }} - {{ column }} < {{ var('k') }})
        or {{ column }} > {{ whole }}
        {{ 'or ' if not loop.last }}
        {%- endfor %}
)

select count(*) as rows_too_small from violations
having count(*) > 0

{% endtest %}
