{#- Query for what the contract says of each metric beside its formula. -#}
{%- macro metric_catalogue() -%}
    {%- for metric in metric_contract() | map(attribute='metrics') | sum(start=[]) -%}
    select
        '{{ metric.name }}' as name,
        '{{ metric.meta.category }}' as category,
        '{{ metric.meta.unit }}' as unit,
        '{{ metric.meta.direction }}' as direction,
        {{ metric.meta.additive | lower }} as is_additive,
        '{{ metric.meta.spikes_are or "spike" }}' as spike
    {{ 'union all' if not loop.last }}
    {% endfor %}
{%- endmacro -%}
