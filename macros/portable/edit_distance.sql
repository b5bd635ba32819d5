{#- BigQuery knows no swap of two letters: there, one pair of neighbours is tried in either order. -#}
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
    (
        select least(
            edit_distance({{ one }}, {{ other }}),
            1 + min(edit_distance(
                concat(
                    substr({{ one }}, 1, place - 1), substr({{ one }}, place + 1, 1),
                    substr({{ one }}, place, 1), substr({{ one }}, place + 2)
                ),
                {{ other }}
            ))
        )
        from unnest(generate_array(1, greatest(length({{ one }}) - 1, 1))) as place
    )
{%- endmacro -%}
