{#- No two rows share the values of these columns. Says how many do, never which. -#}
{% test unique_rows(model, columns) %}

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
