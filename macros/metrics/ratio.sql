{#- A rate: null, never 0, NaN or infinity, where there is nothing to divide by. -#}
{%- macro ratio(numerator, denominator) -%}
    cast({{ numerator }} as float64) / nullif({{ denominator }}, 0)
{%- endmacro -%}
