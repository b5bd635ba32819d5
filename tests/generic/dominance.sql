{#-
    A sum tells of nobody: in every `cell` nobody has more than `top_percent` of the `measure`, and
    whoever is second cannot work out the first to within `p_percent`, since so much is by others
    (the p% rule). What is taken away weighs as much as what is given; rows without a subject are one
    person's. Says how many cells fail, never which.
-#}
{% test dominance(model, cell, subject, measure, p_percent=15, top_percent=50, where='true') %}
{{ config(fail_calc='coalesce(sum(cells_dominated), 0)') }}

with

people as (

    select
        {{ cell | join(', ') }},
        {{ subject }} as person,
        sum(abs({{ measure }})) as weight
    from {{ model }}
    where {{ measure }} is not null and {{ where }}
    group by {{ cell | join(', ') }}, {{ subject }}

),

ranked as (

    select
        *,
        row_number() over (partition by {{ cell | join(', ') }} order by weight desc) as place
    from people

),

cells as (

    select
        sum(weight) as total,
        max(weight) as first_weight,
        sum(case when place > 2 then weight else 0 end) as weight_of_others
    from ranked
    group by {{ cell | join(', ') }}

)

select count(*) as cells_dominated from cells
where
    100 * first_weight > {{ top_percent }} * total
    or 100 * weight_of_others < {{ p_percent }} * first_weight
having count(*) > 0

{% endtest %}
