{#-
    A number of at most 9 places, exactly; null where it is none. DuckDB multiplies decimals of more
    than 18 digits in 128 bits, and others in 64, which overflow.
-#}
{%- macro exact_decimal(expression) -%}
    {{ return(adapter.dispatch('exact_decimal', 'assay')(expression)) }}
{%- endmacro -%}

{%- macro default__exact_decimal(expression) -%}
    {{ exceptions.raise_compiler_error('exact_decimal: no implementation for ' ~ target.type) }}
{%- endmacro -%}

{%- macro duckdb__exact_decimal(expression) -%}
    try_cast({{ expression }} as decimal(28, 9))
{%- endmacro -%}

{%- macro bigquery__exact_decimal(expression) -%}
    safe_cast({{ expression }} as numeric)
{%- endmacro -%}
