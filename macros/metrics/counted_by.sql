{#-
    Which simple metrics count a published row, as a number with a bit for each of them, so that the
    rows of a person are folded into one by `bit_or`. Metrics that count the same rows share a bit.
-#}
{%- macro counted_by(metrics) -%}
    {%- for metric in metrics if metric.flag == metric.name -%}
    {{ '+ ' if not loop.first }}case when {{ metric.condition }}{{ ' and ' ~ metric.expression ~ ' is not null' if not metric.counts_rows }} then {{ 2 ** loop.index0 }} else 0 end
            {% endfor -%}
{%- endmacro -%}

{#- Condition on such a number: the metric with the flag is among them. -#}
{%- macro is_counted_by(flag, flags) -%}
    (counted_by & {{ 2 ** flags.index(flag) }}) != 0
{%- endmacro -%}
