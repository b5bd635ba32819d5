{#- When the span of `number` minutes began that a time is in; spans begin with their hour. -#}
{%- macro utc_minutes(expression, number) -%}
    {{ return(adapter.dispatch('utc_minutes', 'assay')(expression, number)) }}
{%- endmacro -%}

{%- macro default__utc_minutes(expression, number) -%}
    {{ exceptions.raise_compiler_error('utc_minutes: no implementation for ' ~ target.type) }}
{%- endmacro -%}

{%- macro duckdb__utc_minutes(expression, number) -%}
    time_bucket(interval '{{ number }} minutes', {{ expression }})
{%- endmacro -%}

{%- macro bigquery__utc_minutes(expression, number) -%}
    timestamp_trunc(timestamp_sub(
        {{ expression }}, interval mod(extract(minute from {{ expression }}), {{ number }}) minute
    ), minute)
{%- endmacro -%}
