{#-
    CTEs, the last of which is `valued`: the rows of a relation with `has_amounts`, which says whether
    a sum over their block may be shown: k people sent amounts, and nobody more than half of them.
    What is taken away weighs as much as what is given. Rows without a subject are one person's.
-#}
{%- macro open_amounts(relation, block, subject, amount) -%}
weighed as (

    select
        *,
        sum(abs({{ amount }})) over (partition by {{ block | join(', ') }}, {{ subject }}) as weight_of_person
    from {{ relation }}

),

valued as (

    select
        *,
        count(distinct case when {{ amount }} is not null then {{ subject }} end) over of_block >= {{ var('k') }}
        and max(weight_of_person) over of_block * 2 <= sum(abs({{ amount }})) over of_block as has_amounts
    from weighed
    window of_block as (partition by {{ block | join(', ') }})

),
{%- endmacro -%}
