{%- macro json_text(expression) -%}
    {{ return(adapter.dispatch('json_text', 'assay')(expression)) }}
{%- endmacro -%}

{%- macro default__json_text(expression) -%}
    {{ exceptions.raise_compiler_error('json_text: no implementation for ' ~ target.type) }}
{%- endmacro -%}

{%- macro duckdb__json_text(expression) -%}
    cast(to_json({{ expression }}) as string)
{%- endmacro -%}

{%- macro bigquery__json_text(expression) -%}
    to_json_string({{ expression }})
{%- endmacro -%}
