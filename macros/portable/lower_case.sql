{#- BigQuery makes two characters of İ, and ς of a Σ at the end of a word; DuckDB does neither. -#}
{%- macro lower_case(expression) -%}
    {{ return(adapter.dispatch('lower_case', 'assay')(expression)) }}
{%- endmacro -%}

{%- macro default__lower_case(expression) -%}
    {{ exceptions.raise_compiler_error('lower_case: no implementation for ' ~ target.type) }}
{%- endmacro -%}

{%- macro duckdb__lower_case(expression) -%}
    lower({{ expression }})
{%- endmacro -%}

{%- macro bigquery__lower_case(expression) -%}
    lower(replace(replace({{ expression }}, 'İ', 'i'), 'Σ', 'σ'))
{%- endmacro -%}
