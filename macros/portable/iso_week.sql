{%- macro iso_week(expression) -%}
    {{ return(adapter.dispatch('iso_week', 'assay')(expression)) }}
{%- endmacro -%}

{%- macro default__iso_week(expression) -%}
    {{ exceptions.raise_compiler_error('iso_week: no implementation for ' ~ target.type) }}
{%- endmacro -%}

{%- macro duckdb__iso_week(expression) -%}
    cast(date_trunc('week', {{ expression }}) as date)
{%- endmacro -%}

{%- macro bigquery__iso_week(expression) -%}
    date_trunc({{ expression }}, isoweek)
{%- endmacro -%}
