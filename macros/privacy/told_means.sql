{#-
    CTEs, the last of which is `mean_cells`: whether the mean of a value over the published rows of a
    cell may be told. k people have one, and nobody more than half of what they add up to, signs apart.
-#}
{%- macro told_means(relation, cell, subject, value) -%}
values_of_people as (

    select
        {{ cell | join(', ') }},
        {{ subject }},
        sum(abs({{ value }})) as person_total
    from {{ relation }}
    where is_published and {{ value }} is not null
    group by {{ cell | join(', ') }}, {{ subject }}

),

mean_cells as (

    select
        {{ cell | join(', ') }},
        count({{ subject }}) >= {{ var('k') }} and 2 * max(person_total) <= sum(person_total) as may_be_told
    from values_of_people
    group by {{ cell | join(', ') }}

),
{%- endmacro -%}
