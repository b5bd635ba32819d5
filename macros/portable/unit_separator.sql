{%- macro unit_separator() -%}
    {{ return(adapter.dispatch('unit_separator', 'assay')()) }}
{%- endmacro -%}

{%- macro default__unit_separator() -%}
    {{ exceptions.raise_compiler_error('unit_separator: no implementation for ' ~ target.type) }}
{%- endmacro -%}

{%- macro duckdb__unit_separator() -%}
    chr(31)
{%- endmacro -%}

{%- macro bigquery__unit_separator() -%}
    code_points_to_string([31])
{%- endmacro -%}
