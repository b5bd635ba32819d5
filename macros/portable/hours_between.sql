{#- Query for every hour from the first to the last moment that a relation of one row names. -#}
{%- macro hours_between(relation, first, last) -%}
    {{ return(adapter.dispatch('hours_between', 'assay')(relation, first, last)) }}
{%- endmacro -%}

{%- macro default__hours_between(relation, first, last) -%}
    {{ exceptions.raise_compiler_error('hours_between: no implementation for ' ~ target.type) }}
{%- endmacro -%}

{%- macro duckdb__hours_between(relation, first, last) -%}
    select unnest(generate_series({{ first }}, {{ last }}, interval 1 hour)) as hour_start
    from {{ relation }}
{%- endmacro -%}

{%- macro bigquery__hours_between(relation, first, last) -%}
    select hour_start
    from {{ relation }}
    cross join unnest(generate_timestamp_array({{ first }}, {{ last }}, interval 1 hour)) as hour_start
{%- endmacro -%}
