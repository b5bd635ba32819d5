{#- Seconds from one time to another, to the microsecond, negative where the last is earlier. -#}
{%- macro seconds_between(first, last) -%}
    {{ return(adapter.dispatch('seconds_between', 'assay')(first, last)) }}
{%- endmacro -%}

{%- macro default__seconds_between(first, last) -%}
    {{ exceptions.raise_compiler_error('seconds_between: no implementation for ' ~ target.type) }}
{%- endmacro -%}

{%- macro duckdb__seconds_between(first, last) -%}
    date_diff('microsecond', {{ first }}, {{ last }}) / 1e6
{%- endmacro -%}

{%- macro bigquery__seconds_between(first, last) -%}
    timestamp_diff({{ last }}, {{ first }}, microsecond) / 1e6
{%- endmacro -%}
