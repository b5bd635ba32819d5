{#- Every cell of the rows that a condition names has k subjects. Says how many fail, never which. -#}
{% test cells_have_people(model, cell, subject, where='true') %}
{{ config(fail_calc='coalesce(sum(cells_too_small), 0)') }}

with

cells as (

    select count(distinct {{ subject }}) as people
    from {{ model }}
    where {{ where }}
    group by {{ cell | join(', ') }}

)

select count(*) as cells_too_small from cells
where people < {{ var('k') }}
having count(*) > 0

{% endtest %}
