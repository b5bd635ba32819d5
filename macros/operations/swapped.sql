{#- A text with the letter at a place, from 1, and the next one in the other order. -#}
{%- macro swapped(expression, place) -%}
    substr({{ expression }}, 1, {{ place }} - 1) || substr({{ expression }}, {{ place }} + 1, 1)
    || substr({{ expression }}, {{ place }}, 1) || substr({{ expression }}, {{ place }} + 2)
{%- endmacro -%}
