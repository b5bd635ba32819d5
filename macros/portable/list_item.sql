{%- macro list_item(list, position) -%}
    {{ return(adapter.dispatch('list_item', 'assay')(list, position)) }}
{%- endmacro -%}

{%- macro default__list_item(list, position) -%}
    {{ exceptions.raise_compiler_error('list_item: no implementation for ' ~ target.type) }}
{%- endmacro -%}

{%- macro duckdb__list_item(list, position) -%}
    {{ list }}[{{ position }}]
{%- endmacro -%}

{%- macro bigquery__list_item(list, position) -%}
    {{ list }}[safe_ordinal({{ position }})]
{%- endmacro -%}
