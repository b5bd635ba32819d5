{#-
    Aggregate condition over one row per person: a cell may be told. At least `k` people have
    something that is `counted`, and nobody's `weight` is more than half of all that is counted; or
    nothing has a weight, and there are `k` people.
-#}
{%- macro may_be_told(person, weight, counted, k=none) -%}
    (
        (
            count(case when {{ counted }} is not null then {{ person }} end) >= {{ k or var('k') }}
            and 2 * max({{ weight }}) <= sum({{ counted }})
        )
        or (count({{ weight }}) = 0 and count({{ person }}) >= {{ k or var('k') }})
    )
{%- endmacro -%}
