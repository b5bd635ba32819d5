{#- How many borders of days or months lie between two dates, negative where the last is earlier. -#}
{%- macro date_distance(first, last, unit) -%}
    {{ return(adapter.dispatch('date_distance', 'assay')(first, last, unit)) }}
{%- endmacro -%}

{%- macro default__date_distance(first, last, unit) -%}
    {{ exceptions.raise_compiler_error('date_distance: no implementation for ' ~ target.type) }}
{%- endmacro -%}

{%- macro duckdb__date_distance(first, last, unit) -%}
    date_diff('{{ unit }}', {{ first }}, {{ last }})
{%- endmacro -%}

{%- macro bigquery__date_distance(first, last, unit) -%}
    date_diff({{ last }}, {{ first }}, {{ unit }})
{%- endmacro -%}
