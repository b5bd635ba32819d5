{%- macro raise_error(message) -%}
    {{ return(adapter.dispatch('raise_error', 'assay')(message)) }}
{%- endmacro -%}

{%- macro default__raise_error(message) -%}
    {{ exceptions.raise_compiler_error('raise_error: no implementation for ' ~ target.type) }}
{%- endmacro -%}

{%- macro duckdb__raise_error(message) -%}
    error('{{ message }}')
{%- endmacro -%}

{%- macro bigquery__raise_error(message) -%}
    error('{{ message }}')
{%- endmacro -%}
