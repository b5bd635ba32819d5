{#-
    The name of a feature or a rule where it may be shown, else null: letters, digits and `.`, `_`,
    `-`, without a blank between them, since a sentence or a long number may name a person.
-#}
{%- macro plain_name(expression) -%}
    {%- set name = lower_case('trim(' ~ expression ~ ", ' ')") -%}
    case
        when
            {{ regexp_like(name, '^[a-z0-9][a-z0-9._-]{0,39}$') }}
            and not {{ regexp_like(expression, '[0-9]{9}') }}
            then {{ name }}
    end
{%- endmacro -%}
