{#-
    A word as the vocabulary seeds spell it: lower case, everything else one underscore. Most words
    come as they are spelled, which is cheaper to see than to do again.
-#}
{%- macro spelling(expression) -%}
    case
        when {{ regexp_like(expression, '^[a-z0-9]+(_[a-z0-9]+)*$') }} then {{ expression }}
        else nullif(trim({{ regexp_replace_all(lower_case(expression), '[^a-z0-9]+', '_') }}, '_'), '')
    end
{%- endmacro -%}
