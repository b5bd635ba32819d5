{#-
    A sender's own error code that no seed knows: a short word. What holds a long number or reads
    like a sentence may name a person, and says nothing.
-#}
{%- macro well_formed_code(expression) -%}
    case
        when
            {{ regexp_like(expression, '^[a-z][a-z0-9_]{1,47}$') }}
            and not {{ regexp_like(expression, '[0-9]{4}') }}
            and {{ expression }} not in (select alias from {{ ref('error_code_aliases') }})
            then {{ expression }}
    end
{%- endmacro -%}
