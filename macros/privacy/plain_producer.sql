{#-
    The name of a producer that may be shown as a safe key: a letter, then letters, digits and `.`,
    `_`, `-`. Null where it is none, since a sentence, a mail address or a number may name a person.
-#}
{%- macro plain_producer(expression) -%}
    case when {{ regexp_like(expression, '^[A-Za-z][A-Za-z0-9._-]{0,127}$') }} then {{ expression }} end
{%- endmacro -%}
