{#- A sender's own error code that no seed knows, where it is a word and no alias of a known one. -#}
{%- macro well_formed_code(expression) -%}
    case
        when
            {{ is_word(expression) }}
            and {{ expression }} not in (select alias from {{ ref('error_code_aliases') }})
            then {{ expression }}
    end
{%- endmacro -%}
