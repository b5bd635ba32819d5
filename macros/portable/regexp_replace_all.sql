{%- macro regexp_replace_all(expression, pattern, replacement) -%}
    {{ return(adapter.dispatch('regexp_replace_all', 'assay')(expression, pattern, replacement)) }}
{%- endmacro -%}

{%- macro default__regexp_replace_all(expression, pattern, replacement) -%}
    {{ exceptions.raise_compiler_error('regexp_replace_all: no implementation for ' ~ target.type) }}
{%- endmacro -%}

{%- macro duckdb__regexp_replace_all(expression, pattern, replacement) -%}
    regexp_replace({{ expression }}, '{{ pattern }}', '{{ replacement }}', 'g')
{%- endmacro -%}

{%- macro bigquery__regexp_replace_all(expression, pattern, replacement) -%}
    regexp_replace({{ expression }}, r'{{ pattern }}', '{{ replacement }}')
{%- endmacro -%}
