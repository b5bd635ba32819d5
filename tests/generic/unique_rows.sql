{#- No two rows share the values of these columns. Says how many do, never which. -#}
{% test unique_rows(model, columns) %}
{{ config(fail_calc='coalesce(sum(rows_repeated), 0)') }}

with

repeated as (

    select {{ columns | join(', ') }}
    from {{ model }}
    group by {{ columns | join(', ') }}
    having count(*) > 1

)

select count(*) as rows_repeated from repeated
having count(*) > 0

{% endtest %}
