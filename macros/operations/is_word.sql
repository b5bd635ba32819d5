{#-
    Condition: a short word, as a program names things. What holds a long number or reads like a
    sentence may name a person. Spell it first.
-#}
{%- macro is_word(expression) -%}
    {{ regexp_like(expression, '^[a-z][a-z0-9_]{1,47}$') }}
    and not {{ regexp_like(expression, '[0-9]{4}') }}
{%- endmacro -%}
