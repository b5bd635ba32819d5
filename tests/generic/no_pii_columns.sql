{#-
    No column of the model has the name of a column that any contract or model of the project
    classes as an identifier. What is renamed is caught by content tests, not here.
-#}
{% test no_pii_columns(model) %}

{%- set forbidden = [] -%}
{%- if execute -%}
    {%- for node in (graph.sources.values() | list) + (graph.nodes.values() | list) -%}
        {%- for column in node.columns.values() -%}
            {%- set privacy = (column.config.get('meta') or column.meta or {}).get('privacy') -%}
            {%- if privacy in ['never', 'direct_identifier', 'identifier', 'pseudonym'] -%}
                {%- do forbidden.append(column.name | lower) -%}
            {%- endif -%}
        {%- endfor -%}
    {%- endfor -%}
    {%- if not forbidden -%}
        {{ exceptions.raise_compiler_error('no_pii_columns: the project classes no column at all') }}
    {%- endif -%}
    {%- set found = [] -%}
    {%- for column in adapter.get_columns_in_relation(model) -%}
        {%- if column.name | lower in forbidden -%}
            {%- do found.append(column.name | lower) -%}
        {%- endif -%}
    {%- endfor -%}
{%- endif %}

{% for name in found or [] %}
select '{{ name }}' as column_name
{{ 'union all' if not loop.last }}
{% endfor %}
{%- if not found %}
{{ nothing_found() }}
{%- endif %}

{% endtest %}
