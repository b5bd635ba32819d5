{#- Calendar day of a UTC time as silver has it, in a time zone by its IANA name. DST is that of the zone. -#}
{%- macro local_day(time, time_zone) -%}
    {{ return(adapter.dispatch('local_day', 'assay')(time, time_zone)) }}
{%- endmacro -%}

{%- macro default__local_day(time, time_zone) -%}
    {{ exceptions.raise_compiler_error('local_day: no implementation for ' ~ target.type) }}
{%- endmacro -%}

{%- macro duckdb__local_day(time, time_zone) -%}
    cast(timezone({{ time_zone }}, timezone('UTC', {{ time }})) as date)
{%- endmacro -%}

{%- macro bigquery__local_day(time, time_zone) -%}
    date({{ time }}, {{ time_zone }})
{%- endmacro -%}
