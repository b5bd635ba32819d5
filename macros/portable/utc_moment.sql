{#- A moment in ISO 8601 as a timestamp in UTC, null where it is none; without an offset it is one in UTC. -#}
{%- macro utc_moment(expression) -%}
    {{ return(adapter.dispatch('utc_moment', 'assay')(expression)) }}
{%- endmacro -%}

{%- macro default__utc_moment(expression) -%}
    {{ exceptions.raise_compiler_error('utc_moment: no implementation for ' ~ target.type) }}
{%- endmacro -%}

{%- macro duckdb__utc_moment(expression) -%}
    cast(try_cast({{ expression }} as timestamp with time zone) at time zone 'UTC' as timestamp)
{%- endmacro -%}

{%- macro bigquery__utc_moment(expression) -%}
    safe_cast({{ expression }} as timestamp)
{%- endmacro -%}
