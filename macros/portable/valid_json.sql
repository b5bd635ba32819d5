{%- macro valid_json(expression) -%}
    {{ return(adapter.dispatch('valid_json', 'assay')(expression)) }}
{%- endmacro -%}

{%- macro default__valid_json(expression) -%}
    {{ exceptions.raise_compiler_error('valid_json: no implementation for ' ~ target.type) }}
{%- endmacro -%}

{%- macro duckdb__valid_json(expression) -%}
    case when json_valid({{ expression }}) then {{ expression }} end
{%- endmacro -%}

{%- macro bigquery__valid_json(expression) -%}
    if(safe.parse_json({{ expression }}, wide_number_mode => 'round') is not null, {{ expression }}, null)
{%- endmacro -%}
