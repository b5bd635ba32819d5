{#- Of texts read at `paths` (json_texts), the first that is there at one of `wanted`. -#}
{%- macro first_text(texts, paths, wanted) -%}
    coalesce(
        {%- for path in wanted %}
        nullif({{ list_item(texts, paths.index(path) + 1) }}, ''){{ ',' if not loop.last }}
        {%- endfor %}
    )
{%- endmacro -%}
