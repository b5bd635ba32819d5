{#-
    Every pseudonym of the model is one of the live key: people under two keys would count twice.
    A column that holds pseudonyms and is not declared as one (privacy class `pseudonym`) fails too,
    since a rotation would pass it over. The model is read once. For tables: a view holds nothing, and
    what it shows is tested where it comes from.
-#}
{% test one_key(model) %}

{%- set declared = [] -%}
{%- set texts = [] -%}
{%- if execute -%}
    {%- for node in graph.nodes.values() if (node.schema, node.alias) == (model.schema, model.identifier) -%}
        {%- do declared.extend(pseudonyms_of(node)) -%}
        {%- for column in adapter.get_columns_in_relation(model) if column.is_string() -%}
            {%- do texts.append(column.name | lower) -%}
        {%- endfor -%}
    {%- endfor -%}
{%- endif %}

{%- if texts -%}
{%- set live_key_prefix = 'v' ~ live_key_version() ~ ':' -%}
with

others as (

    select
        {% for name in texts -%}
        count(
            case
                {%- if name in declared %}
                when not ({{ name }} like '{{ live_key_prefix }}%' and length({{ name }}) = {{ live_key_prefix | length + 64 }})
                {%- else %}
                when {{ name }} >= 'v' and {{ name }} < 'w' and {{ regexp_like(name, '^v[0-9]+:[0-9a-f]{64}$') }}
                {%- endif %}
                    then 1
            end
        ) as {{ name }}{{ ',' if not loop.last }}
        {% endfor %}
    from {{ model }}

)

{% for name in texts -%}
select '{{ name }}' as column_name
from others
where {{ name }} > 0
union all
{% endfor %}
{%- endif -%}
{{ nothing_found() }}

{% endtest %}
