{#- A duration in whole milliseconds, halves away from zero: more digits would be a fingerprint. -#}
{%- macro whole_ms(expression) -%}
    cast({{ rounded(expression) }} as int64)
{%- endmacro -%}
