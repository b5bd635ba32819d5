{#- The marts of gold that are built, and the cadences of each: how often it is to be made anew. -#}
{%- macro gold_marts() -%}
    {%- set cadences = ['hourly', 'daily', 'weekly', 'monthly'] -%}
    {%- set found = {} -%}
    {%- for node in (graph.nodes.values() if execute else []) -%}
        {%- if node.resource_type == 'model' and node.fqn[1] == 'gold' -%}
            {%- do found.update({node.name: cadences | select('in', node.tags) | list}) -%}
        {%- endif -%}
    {%- endfor -%}
    {{ return(found) }}
{%- endmacro -%}
