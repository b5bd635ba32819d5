{#-
    Every block of a published fact passes, recounted from its rows: within a `cell` of safe keys
    and a time, every value of the `category` has k subjects. Where all of the cell is Other, the
    block is the cell itself, and safe_rows rows suffice; so it is where the fact has no `category`.
-#}
{% test blocks_pass(model, cell, subject, category=none) %}
{{ config(fail_calc='coalesce(sum(blocks_too_small), 0)') }}

with

blocks as (

    select
        {{ cell | join(', ') }},
        {{ category or "'Other'" }} as merged_value,
        count(distinct {{ subject }}) as people,
        count(*) as row_total
    from {{ model }}
    where is_published
    group by {{ cell | join(', ') }}{{ ', ' ~ category if category }}

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
        and not (
            values_in_cell = 1 and merged_value = 'Other' and row_total >= {{ var('safe_rows') }}
        )

)

select count(*) as blocks_too_small from violations
having count(*) > 0

{% endtest %}
