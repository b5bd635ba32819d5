{%- macro utc_hour(expression) -%}
    {{ return(adapter.dispatch('utc_hour', 'assay')(expression)) }}
{%- endmacro -%}

{%- macro default__utc_hour(expression) -%}
    {{ exceptions.raise_compiler_error('utc_hour: no implementation for ' ~ target.type) }}
{%- endmacro -%}

{%- macro duckdb__utc_hour(expression) -%}
    date_trunc('hour', {{ expression }})
{%- endmacro -%}

{%- macro bigquery__utc_hour(expression) -%}
    timestamp_trunc({{ expression }}, hour, 'UTC')
{%- endmacro -%}
