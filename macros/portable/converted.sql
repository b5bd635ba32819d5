{#-
    An amount times an exact decimal in whole units, halves away from zero; null where it is too
    large. No float on the way.
-#}
{%- macro converted(amount, rate) -%}
    {{ return(adapter.dispatch('converted', 'assay')(amount, rate)) }}
{%- endmacro -%}

{%- macro default__converted(amount, rate) -%}
    {{ exceptions.raise_compiler_error('converted: no implementation for ' ~ target.type) }}
{%- endmacro -%}

{%- macro duckdb__converted(amount, rate) -%}
    try_cast(round(try_cast({{ amount }} as decimal(19, 0)) * {{ rate }}, 0) as int64)
{%- endmacro -%}

{%- macro bigquery__converted(amount, rate) -%}
    safe_cast(round(cast({{ amount }} as numeric) * {{ rate }}) as int64)
{%- endmacro -%}
