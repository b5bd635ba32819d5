{%- macro commit() -%}
    {{ return(adapter.dispatch('commit', 'assay')()) }}
{%- endmacro -%}

{%- macro default__commit() -%}
    {{ exceptions.raise_compiler_error('commit: no implementation for ' ~ target.type) }}
{%- endmacro -%}

{%- macro duckdb__commit() -%}
    {%- do adapter.commit() -%}
{%- endmacro -%}

{%- macro bigquery__commit() -%}
    {#- Every statement commits itself. -#}
{%- endmacro -%}
