{#- Which simple metrics count a published row: a number with a bit for each that counts rows of its own. -#}
{%- macro counted_by(metrics) -%}
    {%- for metric in metrics if metric.flag == metric.name -%}
    {{ ' + ' if not loop.first }}case when {{ metric.condition }}{{ ' and ' ~ metric.expression ~ ' is not null' if not metric.counts_rows }} then {{ 2 ** loop.index0 }} else 0 end
    {%- endfor -%}
{%- endmacro -%}

{#- Condition on such a number: the metric is among them. -#}
{%- macro is_counted_by(flag, flags) -%}
    (counted_by & {{ 2 ** flags.index(flag) }}) != 0
{%- endmacro -%}
