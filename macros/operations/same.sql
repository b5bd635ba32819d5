{#- Join condition: two relations agree in these columns, none of which is null. -#}
{%- macro same(left_relation, right_relation, columns) -%}
    {%- for column in columns -%}
        {{ left_relation }}.{{ column }} = {{ right_relation }}.{{ column }}{{ ' and ' if not loop.last }}
    {%- endfor -%}
{%- endmacro -%}
