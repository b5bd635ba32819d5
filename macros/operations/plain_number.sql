{#- A text as a float where it is a number of at most 15 digits, else null: no infinity, no NaN. -#}
{%- macro plain_number(expression) -%}
    case
        when {{ regexp_like(expression, '^-?[0-9]{1,15}([.][0-9]{1,30})?([eE][+-]?[0-9]{1,2})?$') }}
            then {{ try_cast(expression, 'float64') }}
    end
{%- endmacro -%}
