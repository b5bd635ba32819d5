{#-
    Operand of a join: the elements of a JSON list at a path of a document, `element` as JSON text and
    its `place` from 0, one row each. Of what is no list there are none.
-#}
{%- macro json_elements(document, alias, path='$') -%}
    {{ return(adapter.dispatch('json_elements', 'assay')(document, alias, path)) }}
{%- endmacro -%}

{%- macro default__json_elements(document, alias, path) -%}
    {{ exceptions.raise_compiler_error('json_elements: no implementation for ' ~ target.type) }}
{%- endmacro -%}

{%- macro duckdb__json_elements(document, alias, path) -%}
    (
        select
            cast(entries.value as string) as element,
            cast(entries.key as int64) as place
        from json_each(
            case when json_type({{ document }}, '{{ path }}') = 'ARRAY' then {{ document }} end,
            '{{ path }}'
        ) as entries
    ) as {{ alias }}
{%- endmacro -%}

{%- macro bigquery__json_elements(document, alias, path) -%}
    unnest(array(
        select as struct
            element,
            place
        from unnest(json_query_array({{ document }}, '{{ path }}')) as element with offset as place
    )) as {{ alias }}
{%- endmacro -%}
