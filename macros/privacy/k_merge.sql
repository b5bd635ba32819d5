{#-
    Which cells of a partition may be published alone, and which must be merged.

    Yields one row per cell (partition_by x dimension) with a verdict:
      alone     the cell passes, and so does what is left beside it
      merged    the cell belongs to the remainder of its partition
      withheld  not even the whole partition passes

    A cell passes with at least `k` distinct subjects, or, where `safe_rows` is given, with that
    many rows; and with as many distinct values of each column as `at_least` says. The remainder is
    recounted from rows, since distinct subjects do not add up. What happens to one that fails is
    said by `small_remainder`:
      absorb    the smallest cell that passes joins it; one is enough, because whatever contains a
                passing cell passes. No row is lost.
      withhold  its rows are published nowhere, so that every cell that passes stays as it is.
    Neither the partition nor the dimension may be null.
-#}
{%- macro k_merge(relation, dimension, subject, partition_by, k=none, safe_rows=none, small_remainder='absorb', at_least={}) -%}
{%- set k = k or var('k') -%}
{%- set partition = partition_by | join(', ') -%}
    with

    cells as (

        select
            {{ partition }},
            {{ dimension }},
            {{ is_large_enough(subject, k, safe_rows, at_least) }} as passes,
            count(distinct {{ subject }}) as subjects,
            count(*) as row_total
        from {{ relation }}
        group by {{ partition }}, {{ dimension }}

    ),

    remainders as (

        select
            {% for column in partition_by -%}
            members.{{ column }},
            {% endfor -%}
            {{ is_large_enough('members.' ~ subject, k, safe_rows, at_least) }} as remainder_passes
        from {{ relation }} as members
        inner join cells
            on
                {% for column in partition_by -%}
                members.{{ column }} = cells.{{ column }}
                and {% endfor -%}
                members.{{ dimension }} = cells.{{ dimension }}
        where not cells.passes
        group by {% for column in partition_by %}members.{{ column }}{{ ', ' if not loop.last }}{% endfor %}

    ),

    ranked as (

        select
            *,
            row_number() over (
                partition by {{ partition }}, passes
                order by subjects, row_total, {{ dimension }}
            ) as smallness,
            sum(case when passes then 1 else 0 end) over (partition by {{ partition }}) as passing
        from cells

    ),

    verdicts as (

        select
            {% for column in partition_by -%}
            ranked.{{ column }},
            {% endfor -%}
            ranked.{{ dimension }},
            case
                when ranked.passes and coalesce(remainders.remainder_passes, true) then 'alone'
                when remainders.remainder_passes then 'merged'
                {%- if small_remainder == 'withhold' %}
                when ranked.passes then 'alone'
                {%- else %}
                when ranked.passes and ranked.smallness > 1 then 'alone'
                when ranked.passing > 0 then 'merged'
                {%- endif %}
                else 'withheld'
            end as verdict
        from ranked
        left join remainders
            on
                {% for column in partition_by -%}
                ranked.{{ column }} = remainders.{{ column }}
                {{ 'and ' if not loop.last }}{% endfor %}
    )

    select * from verdicts
{%- endmacro -%}
