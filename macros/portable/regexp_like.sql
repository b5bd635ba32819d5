{%- macro regexp_like(expression, pattern) -%}
    {{ return(adapter.dispatch('regexp_like', 'assay')(expression, pattern)) }}
{%- endmacro -%}

{%- macro default__regexp_like(expression, pattern) -%}
    {{ exceptions.raise_compiler_error('regexp_like: no implementation for ' ~ target.type) }}
{%- endmacro -%}

{%- macro duckdb__regexp_like(expression, pattern) -%}
    regexp_matches({{ expression }}, '{{ pattern }}')
{%- endmacro -%}

{%- macro bigquery__regexp_like(expression, pattern) -%}
    regexp_contains({{ expression }}, r'{{ pattern }}')
{%- endmacro -%}
