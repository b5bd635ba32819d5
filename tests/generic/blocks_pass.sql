{#-
    Every block of a published fact passes, recounted from its rows: a `cell` of safe keys and a
    time with k subjects or `safe_rows` rows, and within it every value of the `category` with k
    subjects, unless the cell has one value only and is then the cell itself.
-#}
{% test blocks_pass(model, cell, category, subject) %}

with

blocks as (

    select
        {{ cell | join(', ') }},
        {{ category }},
        count(distinct {{ subject }}) as people,
        count(*) as row_total
    from {{ model }}
    where is_published
    group by {{ cell | join(', ') }}, {{ category }}

),

siblings as (

    select
        *,
        count(*) over (partition by {{ cell | join(', ') }}) as values_in_cell
    from blocks

),

violations as (

    select * from siblings
    where
        people < {{ var('k') }}
        and not (values_in_cell = 1 and row_total >= {{ var('safe_rows') }})

)

select count(*) as blocks_too_small from violations
having count(*) > 0

{% endtest %}
