{#- Whole milliseconds from one time to another, the rest cut off; null where the last is earlier. -#}
{%- macro milliseconds_between(first, last) -%}
    {{ return(adapter.dispatch('milliseconds_between', 'assay')(first, last)) }}
{%- endmacro -%}

{%- macro default__milliseconds_between(first, last) -%}
    {{ exceptions.raise_compiler_error('milliseconds_between: no implementation for ' ~ target.type) }}
{%- endmacro -%}

{%- macro duckdb__milliseconds_between(first, last) -%}
    case when {{ last }} >= {{ first }} then date_diff('microsecond', {{ first }}, {{ last }}) // 1000 end
{%- endmacro -%}

{%- macro bigquery__milliseconds_between(first, last) -%}
    case when {{ last }} >= {{ first }} then div(timestamp_diff({{ last }}, {{ first }}, microsecond), 1000) end
{%- endmacro -%}
