{%- macro utc_day(expression) -%}
    {{ return(adapter.dispatch('utc_day', 'assay')(expression)) }}
{%- endmacro -%}

{%- macro default__utc_day(expression) -%}
    {{ exceptions.raise_compiler_error('utc_day: no implementation for ' ~ target.type) }}
{%- endmacro -%}

{#- A cast that cannot fail: DuckDB takes a condition on it down to the table, and no other. -#}
{%- macro duckdb__utc_day(expression) -%}
    try_cast({{ expression }} as date)
{%- endmacro -%}

{%- macro bigquery__utc_day(expression) -%}
    date({{ expression }}, 'UTC')
{%- endmacro -%}
