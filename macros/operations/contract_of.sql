{#- What the contract of a bronze table says of it (`config.meta`); nothing before dbt has read it. -#}
{%- macro contract_of(table) -%}
    {%- set found = [] -%}
    {%- for node in (graph.sources.values() if execute else []) if [node.source_name, node.name] == ['bronze', table] -%}
        {%- do found.append(node.config.get('meta') or node.meta) -%}
    {%- endfor -%}
    {{ return(found[0] if found else {}) }}
{%- endmacro -%}
