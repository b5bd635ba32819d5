{%- macro json_texts(document, paths) -%}
    {{ return(adapter.dispatch('json_texts', 'assay')(document, paths)) }}
{%- endmacro -%}

{%- macro default__json_texts(document, paths) -%}
    {{ exceptions.raise_compiler_error('json_texts: no implementation for ' ~ target.type) }}
{%- endmacro -%}

{%- macro duckdb__json_texts(document, paths) -%}
    json_extract_string({{ document }}, ['{{ paths | join("', '") }}'])
{%- endmacro -%}

{%- macro bigquery__json_texts(document, paths) -%}
    [{% for path in paths %}json_value({{ document }}, '{{ path }}'){{ ', ' if not loop.last }}{% endfor %}]
{%- endmacro -%}
