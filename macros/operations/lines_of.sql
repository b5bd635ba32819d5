{#- Where the rows of relations came from, given by the name of their bronze table. -#}
{%- macro lines_of(relations) -%}
    {%- for table, relation in relations.items() %}
    select
        '{{ table }}' as table_name,
        batch_id,
        line_number
    from {{ relation }}
    {{- '\n    union all' if not loop.last }}
    {%- endfor %}
{%- endmacro -%}
