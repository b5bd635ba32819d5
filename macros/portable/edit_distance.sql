{#-
    BigQuery knows no swap of two letters. There, every swap of neighbours is tried in either text,
    and two swaps are found where one in each makes both texts equal: exact up to a distance of 2.
-#}
{%- macro edit_distance(one, other) -%}
    {{ return(adapter.dispatch('edit_distance', 'assay')(one, other)) }}
{%- endmacro -%}

{%- macro default__edit_distance(one, other) -%}
    {{ exceptions.raise_compiler_error('edit_distance: no implementation for ' ~ target.type) }}
{%- endmacro -%}

{%- macro duckdb__edit_distance(one, other) -%}
    damerau_levenshtein({{ one }}, {{ other }})
{%- endmacro -%}

{%- macro bigquery__edit_distance(one, other) -%}
    least(
        edit_distance({{ one }}, {{ other }}),
        (
            select 1 + min(least(
                edit_distance({{ swapped(one, 'place') }}, {{ other }}),
                edit_distance({{ one }}, {{ swapped(other, 'place') }})
            ))
            from unnest(generate_array(1, greatest(length({{ one }}), length({{ other }}), 2) - 1)) as place
        ),
        (
            select if(count(*) > 0, 2, 1000)
            from unnest(generate_array(1, greatest(length({{ one }}), 2) - 1)) as place
            inner join unnest(generate_array(1, greatest(length({{ other }}), 2) - 1)) as other_place
                on {{ swapped(one, 'place') }} = {{ swapped(other, 'other_place') }}
        )
    )
{%- endmacro -%}
