{#-
    A float, halves away from zero, with so many decimals.

    The engines interpolate percentiles by different formulas, whose results may differ in the last
    of their digits: 12.499999999999998 is 12.5, which first comes out of six decimals more.
-#}
{%- macro rounded(expression, decimals=0) -%}
    round(round({{ expression }}, {{ decimals + 6 }}), {{ decimals }})
{%- endmacro -%}
