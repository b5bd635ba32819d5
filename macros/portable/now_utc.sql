{%- macro now_utc() -%}
    {{ return(adapter.dispatch('now_utc', 'assay')()) }}
{%- endmacro -%}

{%- macro default__now_utc() -%}
    {{ exceptions.raise_compiler_error('now_utc: no implementation for ' ~ target.type) }}
{%- endmacro -%}

{%- macro duckdb__now_utc() -%}
    cast('{{ run_started_at.strftime('%Y-%m-%d %H:%M:%S.%f') }}' as timestamp)
{%- endmacro -%}

{%- macro bigquery__now_utc() -%}
    timestamp '{{ run_started_at.strftime('%Y-%m-%d %H:%M:%S.%f') }}+00'
{%- endmacro -%}
