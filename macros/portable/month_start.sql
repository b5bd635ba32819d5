{%- macro month_start(expression) -%}
    {{ return(adapter.dispatch('month_start', 'assay')(expression)) }}
{%- endmacro -%}

{%- macro default__month_start(expression) -%}
    {{ exceptions.raise_compiler_error('month_start: no implementation for ' ~ target.type) }}
{%- endmacro -%}

{%- macro duckdb__month_start(expression) -%}
    cast(date_trunc('month', {{ expression }}) as date)
{%- endmacro -%}

{%- macro bigquery__month_start(expression) -%}
    date_trunc({{ expression }}, month)
{%- endmacro -%}
