{#- Relation of whole numbers from the first to the last, in a column of this name. -#}
{%- macro whole_numbers(first, last, name) -%}
    {{ return(adapter.dispatch('whole_numbers', 'assay')(first, last, name)) }}
{%- endmacro -%}

{%- macro default__whole_numbers(first, last, name) -%}
    {{ exceptions.raise_compiler_error('whole_numbers: no implementation for ' ~ target.type) }}
{%- endmacro -%}

{%- macro duckdb__whole_numbers(first, last, name) -%}
    generate_series({{ first }}, {{ last }}) as numbers({{ name }})
{%- endmacro -%}

{%- macro bigquery__whole_numbers(first, last, name) -%}
    unnest(generate_array({{ first }}, {{ last }})) as {{ name }}
{%- endmacro -%}
