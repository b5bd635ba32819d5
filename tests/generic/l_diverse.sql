{#-
    What is sensitive about people does not follow from the class they are in: every `cell` has at
    least `l` values of it, and no value is that of more than `max_percent` of its people. Rows that
    a condition leaves out are not looked at; an unknown value is none. Says how many cells fail,
    never which.
-#}
{% test l_diverse(model, cell, sensitive, subject, l=2, max_percent=80, where='true') %}
{{ config(fail_calc='coalesce(sum(cells_too_alike), 0)') }}

with

people_of_cells as (

    select
        *,
        count(distinct {{ subject }}) over (partition by {{ cell | join(', ') }}) as people
    from {{ model }}
    where {{ where }}

),

sensitive_values as (

    select
        {{ cell | join(', ') }},
        {{ sensitive }} as sensitive_value,
        max(people) as people,
        count(distinct {{ subject }}) as people_alike
    from people_of_cells
    group by {{ cell | join(', ') }}, {{ sensitive }}

),

cells as (

    select
        count(sensitive_value) as value_total,
        max(people) as people,
        max(case when sensitive_value is not null then people_alike end) as most_alike
    from sensitive_values
    group by {{ cell | join(', ') }}

)

select count(*) as cells_too_alike from cells
where value_total < {{ l }} or 100 * most_alike > {{ max_percent }} * people
having count(*) > 0

{% endtest %}
