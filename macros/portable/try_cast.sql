{%- macro try_cast(expression, type) -%}
    {{ return(adapter.dispatch('try_cast', 'assay')(expression, type)) }}
{%- endmacro -%}

{%- macro default__try_cast(expression, type) -%}
    {{ exceptions.raise_compiler_error('try_cast: no implementation for ' ~ target.type) }}
{%- endmacro -%}

{%- macro duckdb__try_cast(expression, type) -%}
    try_cast({{ expression }} as {{ type }})
{%- endmacro -%}

{%- macro bigquery__try_cast(expression, type) -%}
    safe_cast({{ expression }} as {{ type }})
{%- endmacro -%}
