{%- macro layer_schema(layer) -%}
    {{ return(adapter.dispatch('layer_schema', 'assay')(layer)) }}
{%- endmacro -%}

{%- macro default__layer_schema(layer) -%}
    {{ exceptions.raise_compiler_error('layer_schema: no implementation for ' ~ target.type) }}
{%- endmacro -%}

{%- macro duckdb__layer_schema(layer) -%}
    {{ layer }}
{%- endmacro -%}

{%- macro bigquery__layer_schema(layer) -%}
    {{ target.schema ~ '_' ~ layer }}
{%- endmacro -%}
