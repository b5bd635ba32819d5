{#- The time one hour after another. -#}
{%- macro hour_after(expression) -%}
    {{ return(adapter.dispatch('hour_after', 'assay')(expression)) }}
{%- endmacro -%}

{%- macro default__hour_after(expression) -%}
    {{ exceptions.raise_compiler_error('hour_after: no implementation for ' ~ target.type) }}
{%- endmacro -%}

{%- macro duckdb__hour_after(expression) -%}
    {{ expression }} + interval 1 hour
{%- endmacro -%}

{%- macro bigquery__hour_after(expression) -%}
    timestamp_add({{ expression }}, interval 1 hour)
{%- endmacro -%}
