{%- macro is_nan(expression) -%}
    {{ return(adapter.dispatch('is_nan', 'assay')(expression)) }}
{%- endmacro -%}

{%- macro default__is_nan(expression) -%}
    {{ exceptions.raise_compiler_error('is_nan: no implementation for ' ~ target.type) }}
{%- endmacro -%}

{%- macro duckdb__is_nan(expression) -%}
    isnan({{ expression }})
{%- endmacro -%}

{%- macro bigquery__is_nan(expression) -%}
    is_nan({{ expression }})
{%- endmacro -%}
