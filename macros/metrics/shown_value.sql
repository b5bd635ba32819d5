{#-
    The value of a simple metric, as far as it may be shown.

    Counts and sums are of whole blocks, which pass; so they are shown as they are. What says more
    about single people needs the people, or rows, that its measure names as `minimum`: rows only
    where safe keys name the cell. A figure of a part of its cell is null: partial_when.
-#}
{%- macro shown_value(metric, fact) -%}
    {%- if metric.hidden -%}
        case
            when {{ "cells.period != 'hour' and " if metric.meta.shown_where }}not coalesce(parts.{{ metric.name }}__is_part, false)
                then {{ whole_value(metric, fact) }}
        end
    {%- else -%}
        {{ whole_value(metric, fact) }}
    {%- endif -%}
{%- endmacro -%}

{#- The same, whether or not it is of a part. -#}
{%- macro whole_value(metric, fact) -%}
    {%- set rows = 'counted.' ~ metric.flag ~ '__rows' -%}
    {%- set people = 'people.' ~ metric.flag ~ '__people' -%}
    {%- set is_enough = people ~ ' >= ' ~ var(metric.minimum[0]) -%}
    {%- if metric.agg == 'count' -%}
        {{ or_empty(rows, metric) }}
    {%- elif metric.agg == 'sum' -%}
        {{ or_empty('counted.' ~ metric.name ~ '__sum', metric) }}
    {%- elif metric.agg == 'count_distinct' -%}
        case
            when {{ rows }} is null or {{ rows }} = 0 then {{ or_empty('null', metric) }}
            when {{ is_enough }} then {{ people if metric.expression == published(fact.subject) else 'distinct_counts.' ~ metric.name }}
        end
    {%- else -%}
        {%- set value = ratio('counted.' ~ metric.name ~ '__sum', rows) if metric.agg == 'average' else 'percentiles.' ~ metric.name -%}
        {%- if metric.minimum | length > 1 -%}
            {%- set is_enough = is_enough ~ " or (cells.dimension in ('" ~ (['total'] + fact.safe) | join("', '")
                ~ "') and " ~ rows ~ ' >= ' ~ var(metric.minimum[1]) ~ ')' -%}
        {%- endif -%}
        case when {{ is_enough }} then {{ rounded(value, metric.meta.decimals) if 'decimals' in metric.meta else value }} end
    {%- endif -%}
{%- endmacro -%}

{#- A count or sum of nothing: 0 where the metric says so with `fill_nulls_with`. -#}
{%- macro or_empty(expression, metric) -%}
    {{ 'coalesce(' ~ expression ~ ', ' ~ metric.empty ~ ')' if metric.empty is not none else expression }}
{%- endmacro -%}

{#- A column of the published rows, as measures have to write it. -#}
{%- macro published(column) -%}
    {{ return('case when is_published then ' ~ column ~ ' end') }}
{%- endmacro -%}
