{#-
    How bad it is that a figure is beyond its limit: `none`, `warning`, or `critical` where it is
    beyond it `critical_factor` times. Null where the figure or its limit is.
-#}
{%- macro severity(figure, limit) -%}
    case
        when {{ figure }} > {{ var('health').critical_factor }} * {{ limit }} then 'critical'
        when {{ figure }} > {{ limit }} then 'warning'
        when {{ figure }} <= {{ limit }} then 'none'
    end
{%- endmacro -%}
