{#-
    What keeps the metrics of a fact from being published, in words.

    Rule 5a: every figure is one of whole blocks. So filters and dimensions are labels of the fact
    and nothing else, and what is counted is every published row. What stands in the rows themselves
    is added up only where the fact classes the column as `safe`, says of each row whether sums over
    its block may be shown, or has the test `timed_blocks_pass`.
-#}
{%- macro metric_faults(fact) -%}
    {%- set faults = [] -%}
    {%- if fact.model not in var('metric_facts') -%}
        {%- do faults.append(fact.model ~ ': is not in the variable metric_facts of dbt_project.yml') -%}
    {%- endif -%}
    {%- if not fact.labels -%}
        {%- do faults.append(fact.model ~ ': has no test blocks_pass, which names its labels') -%}
    {%- endif -%}
    {%- if not (fact.day and fact.row and fact.subject) -%}
        {%- do faults.append(fact.model ~ ': needs a time dimension by day, a primary entity and the entity person') -%}
    {%- endif -%}
    {%- for label in fact.dimensions + [fact.day, fact.hour or fact.day] if label not in fact.labels -%}
        {%- do faults.append(fact.model ~ ': the dimension ' ~ label ~ ' is no published label') -%}
    {%- endfor -%}
    {%- for metric in fact.metrics if metric.type == 'simple' -%}
        {%- for fault in simple_metric_faults(metric, fact) -%}
            {%- do faults.append(metric.name ~ ': ' ~ fault) -%}
        {%- endfor -%}
    {%- endfor -%}
    {{ return(faults) }}
{%- endmacro -%}

{%- macro simple_metric_faults(metric, fact) -%}
    {%- set faults = [] -%}
    {%- set counted = modules.re.findall('^case when is_published then (.+) end$', metric.expression) -%}
    {%- set words = modules.re.findall("[a-z_]\\w*", modules.re.sub("'[^']*'", '', metric.condition | lower)) -%}
    {%- for word in words if word not in fact.labels + ['and', 'or', 'not', 'in', 'is', 'null', 'true'] -%}
        {%- do faults.append('its filter names ' ~ word ~ ', which is no published label') -%}
    {%- endfor -%}
    {%- if not counted -%}
        {%- do faults.append('its measure is not of the form: case when is_published then ... end') -%}
    {%- elif metric.agg == 'count' and counted[0] != fact.row -%}
        {%- do faults.append('a count is one of rows, that is of ' ~ fact.row) -%}
    {%- elif metric.agg == 'sum' and (fact.has_told_sums or metric.meta.shown_where in fact.columns) -%}
    {%- elif metric.agg in ['sum', 'average'] and privacy_of(fact, counted[0]) != 'safe' -%}
        {%- do faults.append('only columns of the class safe are added up, and ' ~ counted[0] ~ ' is none') -%}
    {%- elif metric.agg not in ['count', 'count_distinct', 'sum', 'average', 'percentile'] -%}
        {%- do faults.append('the aggregation ' ~ metric.agg ~ ' is not supported') -%}
    {%- endif -%}
    {%- if metric.meta.one and metric.meta.one not in fact.dimensions -%}
        {%- do faults.append('it is one of each ' ~ metric.meta.one ~ ', which is no dimension') -%}
    {%- endif -%}
    {%- for name in metric.minimum or ['none'] if not var(name, none) -%}
        {%- do faults.append('its minimum names no variable of dbt_project.yml') -%}
    {%- endfor -%}
    {{ return(faults) }}
{%- endmacro -%}

{%- macro privacy_of(fact, column) -%}
    {{ return((fact.columns.get(column) or {}).get('config', {}).get('meta', {}).get('privacy')) }}
{%- endmacro -%}
