{#- A test's query that finds no column at fault. -#}
{%- macro nothing_found() -%}
    select column_name from (select 'none' as column_name) as nothing where false
{%- endmacro -%}
