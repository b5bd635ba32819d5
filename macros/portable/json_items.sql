{#- Relation of the items of a JSON list, as JSON texts in a column of this name; none where it is no list. -#}
{%- macro json_items(document, name) -%}
    {{ return(adapter.dispatch('json_items', 'assay')(document, name)) }}
{%- endmacro -%}

{%- macro default__json_items(document, name) -%}
    {{ exceptions.raise_compiler_error('json_items: no implementation for ' ~ target.type) }}
{%- endmacro -%}

{%- macro duckdb__json_items(document, name) -%}
    unnest(cast(json_extract({{ document }}, '$[*]') as varchar[])) as items({{ name }})
{%- endmacro -%}

{%- macro bigquery__json_items(document, name) -%}
    unnest(json_extract_array({{ document }})) as {{ name }}
{%- endmacro -%}
