{#-
    Of texts read at `paths` (json_texts), the first that is there at one of `wanted`. An object or a
    list is no text: DuckDB reads one as its JSON, BigQuery as null.
-#}
{%- macro first_text(texts, paths, wanted) -%}
    coalesce(
        {%- for path in wanted %}
        {%- set item = list_item(texts, paths.index(path) + 1) %}
        case when substr({{ item }}, 1, 1) not in ('', '{', '[') then {{ item }} end{{ ',' if not loop.last }}
        {%- endfor %}
    )
{%- endmacro -%}
