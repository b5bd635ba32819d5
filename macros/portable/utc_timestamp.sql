{%- macro utc_timestamp(expression) -%}
    {{ return(adapter.dispatch('utc_timestamp', 'assay')(expression)) }}
{%- endmacro -%}

{%- macro default__utc_timestamp(expression) -%}
    {{ exceptions.raise_compiler_error('utc_timestamp: no implementation for ' ~ target.type) }}
{%- endmacro -%}

{%- macro duckdb__utc_timestamp(expression) -%}
    cast({{ expression }} at time zone 'UTC' as timestamp)
{%- endmacro -%}

{%- macro bigquery__utc_timestamp(expression) -%}
    {{ expression }}
{%- endmacro -%}
