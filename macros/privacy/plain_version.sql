{#-
    The version of a model or of rules where it may be shown as a safe key, else null: a short name of
    letters, digits and `.`, `_`, `-`, since a sentence or a long number may name a person.
-#}
{%- macro plain_version(expression) -%}
    case
        when
            {{ regexp_like(squeezed(expression), '^[a-z0-9][a-z0-9._-]{0,39}$') }}
            and not {{ regexp_like(expression, '[0-9]{9}') }}
            then {{ squeezed(expression) }}
    end
{%- endmacro -%}
