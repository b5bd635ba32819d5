{#- A typed value in lower case without white space of any kind, null where nothing is left. -#}
{%- macro squeezed(expression) -%}
    nullif({{ regexp_replace_all(lower_case(expression), '[[:space:][:cntrl:]]+', '') }}, '')
{%- endmacro -%}
