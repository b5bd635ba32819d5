{#-
    The model is about our own services and no person, which is why it needs no k: it says so
    (`config.meta.about: operations`), and all that it shows and is made of is of privacy class
    `safe`, each column declared so. What its SQL reads of other models is seen by a test of the
    compiled statements, tests/privacy/test_operations.py.
-#}
{% test about_operations(model) %}

{%- set found = [] -%}
{%- if execute -%}
    {%- set tested = graph.nodes[context['model'].attached_node] -%}
    {%- if (tested.config.get('meta') or {}).get('about') != 'operations' -%}
        {%- do found.append('the model does not say that it is about operations') -%}
    {%- endif -%}
    {%- set safe = [] -%}
    {%- for column in tested.columns.values() if (column.config.get('meta') or column.meta or {}).get('privacy') == 'safe' -%}
        {%- do safe.append(column.name | lower) -%}
    {%- endfor -%}
    {%- for column in adapter.get_columns_in_relation(model) if column.name | lower not in safe -%}
        {%- do found.append(column.name | lower) -%}
    {%- endfor -%}
{%- endif %}

{% for name in found %}
select '{{ name }}' as column_name
{{ 'union all' if not loop.last }}
{% endfor %}
{%- if not found %}
{{ nothing_found() }}
{%- endif %}

{% endtest %}
