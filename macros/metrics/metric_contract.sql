{#-
    The metric contract, as the semantic models and metrics of models/metrics say it: one entry for
    each fact, with all that is needed to compute its metrics. No formula is written a second time.

    It is read from the graph when a model is compiled. dbt must know the facts before that: the
    variable `metric_facts` lists them. What may not be published stops the build: `metric_faults`.
-#}
{%- macro metric_contract() -%}
    {%- set facts = [] -%}
    {%- set faults = [] -%}
    {%- if execute -%}
        {%- for semantic_model in graph.semantic_models.values() | sort(attribute='name') -%}
            {%- do facts.append(metric_fact(semantic_model)) -%}
            {%- do faults.extend(metric_faults(facts[-1])) -%}
        {%- endfor -%}
        {%- set known = facts | map(attribute='metrics') | sum(start=[]) | map(attribute='name') | list -%}
        {%- for name in graph.metrics.values() | map(attribute='name') if name not in known -%}
            {%- do faults.append(
                name ~ ': only simple metrics, and ratios and derived ones of those of one fact, without a filter, '
                ~ 'offset or window of their own'
            ) -%}
        {%- endfor -%}
    {%- endif -%}
    {%- if faults -%}
        {{ exceptions.raise_compiler_error('models/metrics:\n' ~ faults | join('\n')) }}
    {%- endif -%}
    {{ return(facts) }}
{%- endmacro -%}

{#-
    A semantic model with its metrics. `labels` are the columns that name a block of its fact, `safe`
    those of its dimensions that name no group of people: the test `blocks_pass` says both. Sums are
    told of every block where the test `timed_blocks_pass` says that nobody has most of one.
-#}
{%- macro metric_fact(semantic_model) -%}
    {%- set model = graph.nodes[semantic_model.depends_on.nodes[0]] -%}
    {%- set fact = {
        'model': model.name,
        'columns': model.columns,
        'day': none,
        'hour': none,
        'row': none,
        'subject': none,
        'labels': [],
        'dimensions': [],
        'safe': [],
        'has_told_sums': false,
        'metrics': [],
    } -%}
    {%- for dimension in semantic_model.dimensions -%}
        {%- if dimension.type == 'time' -%}
            {%- do fact.update({dimension.type_params.time_granularity: dimension.name}) -%}
        {%- else -%}
            {%- do fact.dimensions.append(dimension.name) -%}
        {%- endif -%}
    {%- endfor -%}
    {%- for entity in semantic_model.entities -%}
        {%- do fact.update({'subject' if entity.name == 'person' else 'row': entity.expr}) -%}
    {%- endfor -%}
    {%- for test in graph.nodes.values() if test.attached_node == model.unique_id -%}
        {%- if test.test_metadata.name == 'timed_blocks_pass' -%}
            {%- do fact.update({'has_told_sums': true}) -%}
        {%- elif test.test_metadata.name == 'blocks_pass' -%}
            {%- set blocks = test.test_metadata.kwargs -%}
            {%- do fact.labels.extend(blocks.cell + ([blocks.category] if blocks.category else [])) -%}
            {%- do fact.safe.extend(fact.dimensions | select('in', blocks.cell)) -%}
        {%- endif -%}
    {%- endfor -%}
    {%- for metric in graph.metrics.values() if metric.type == 'simple' and semantic_model.unique_id in metric.depends_on.nodes -%}
        {%- for measure in semantic_model.measures if measure.name == metric.type_params.measure.name -%}
            {%- do fact.metrics.append(simple_metric(metric, measure, semantic_model, fact)) -%}
        {%- endfor -%}
    {%- endfor -%}
    {%- for _ in range(3) -%}  {#- a composed metric may be made of composed ones -#}
        {%- for metric in graph.metrics.values() if metric.type in ['ratio', 'derived'] -%}
            {%- set composed = composed_metric(metric, semantic_model, fact.metrics) -%}
            {%- if composed and metric.name not in fact.metrics | map(attribute='name') -%}
                {%- do fact.metrics.append(composed) -%}
            {%- endif -%}
        {%- endfor -%}
    {%- endfor -%}
    {{ return(fact) }}
{%- endmacro -%}

{#-
    A metric of one measure. `named` are the dimensions of its filter. Metrics that count the same
    rows share what is counted: `flag` is the first of them; and so with `input` for their values.
    `hidden` is the condition on rows that make its figure null, if there are such: partial_when.
-#}
{%- macro simple_metric(metric, measure, semantic_model, fact) -%}
    {%- set dimension = "\\{\\{ *Dimension\\('\\w+?__(\\w+)'\\) *\\}\\}" -%}
    {%- set filter = (metric.filter or {}).get('where_filters', []) | map(attribute='where_sql_template') | join(' and ') -%}
    {%- set made = {
        'name': metric.name,
        'type': 'simple',
        'agg': measure.agg,
        'fraction': (measure.agg_params or {}).get('percentile'),
        'expression': measure.expr,
        'counts_rows': measure.expr in [published(fact.row), published(fact.subject)],
        'condition': modules.re.sub(dimension, '\\1', filter) or 'true',
        'named': modules.re.findall(dimension, filter),
        'empty': metric.type_params.measure.fill_nulls_with,
        'flag': metric.name,
        'input': metric.name,
        'meta': merged_meta([semantic_model, measure, metric]),
    } -%}
    {%- do made.update({'minimum': made.meta.get('minimum') or [], 'hidden': partial_when(made)}) -%}
    {%- for other in fact.metrics if other.condition == made.condition -%}
        {%- if (other.counts_rows and made.counts_rows) or other.expression == made.expression -%}
            {%- do made.update({'flag': other.flag}) -%}
        {%- endif -%}
        {%- if other.expression == made.expression -%}
            {%- do made.update({'input': other.input}) -%}
        {%- endif -%}
    {%- endfor -%}
    {{ return(made) }}
{%- endmacro -%}

{#-
    Condition on rows of the fact: where there is one in a cell, the figure would be of a part only.

    With `null_if_partial`, such a row may be among those that the metric counts, as far as its labels
    say, but is withheld or Other. A sum names with `shown_where` the column that says of a row whether
    sums over its block may be shown. Hours are parts of days: none of them has rates or such sums.
-#}
{%- macro partial_when(metric) -%}
    {%- set found = [] -%}
    {%- if metric.meta.get('null_if_partial') -%}
        {%- set may_be = modules.re.sub('(?<!not) in [(]', " in ('Other', ", metric.condition) -%}
        {%- set may_be = modules.re.sub("(\\w+) = ('[^']*')", "\\1 in ('Other', \\2)", may_be) -%}
        {%- do found.append('(' ~ may_be ~ ') and not (is_published and (' ~ metric.condition ~ '))') -%}
    {%- endif -%}
    {%- if metric.meta.get('shown_where') -%}
        {%- do found.append('(' ~ metric.condition ~ ') and not ' ~ metric.meta.shown_where) -%}
    {%- endif -%}
    {{ return(found | join(' or ')) }}
{%- endmacro -%}

{#- A ratio or derived metric of metrics that are known, else none. Its people are those of its first part. -#}
{%- macro composed_metric(metric, semantic_model, known) -%}
    {%- set params = metric.type_params -%}
    {%- set wanted = params.metrics if metric.type == 'derived' else [params.denominator, params.numerator] -%}
    {%- set parts = [] -%}
    {%- for part in wanted if not (part.filter or part.offset_window or part.offset_to_grain or metric.filter) -%}
        {%- for other in known if other.name == part.name -%}
            {%- do parts.append({'word': part.alias or part.name, 'metric': other}) -%}
        {%- endfor -%}
    {%- endfor -%}
    {%- if parts | length < wanted | length -%}
        {{ return(none) }}
    {%- endif -%}
    {%- set hidden = parts | selectattr('metric.hidden') | list | length > 0 -%}
    {%- if metric.type == 'ratio' -%}
        {%- set formula = ratio(value_of(parts[1].metric), value_of(parts[0].metric)) -%}
        {%- if hidden -%}
            {%- set formula = "case when shown.period != 'hour' then " ~ formula ~ ' end' -%}
        {%- endif -%}
    {%- else -%}
        {%- set formula = with_parts(params.expr, parts) -%}
    {%- endif -%}
    {{ return({
        'name': metric.name,
        'type': metric.type,
        'formula': formula,
        'hidden': hidden,
        'named': parts | map(attribute='metric.named') | sum(start=[]) | unique | list,
        'flag': parts[0].metric.flag,
        'minimum': parts[0].metric.minimum,
        'meta': merged_meta([semantic_model, metric]),
    }) }}
{%- endmacro -%}

{#- The expression of a derived metric, its words replaced all at once: a part may hold another's word. -#}
{%- macro with_parts(expression, parts) -%}
    {%- set formula = namespace(sql=expression) -%}
    {%- for part in parts -%}
        {%- set formula.sql = modules.re.sub('\\b' ~ part.word ~ '\\b', '@' ~ loop.index ~ '@', formula.sql) -%}
    {%- endfor -%}
    {%- for part in parts -%}
        {%- set formula.sql = formula.sql | replace('@' ~ loop.index ~ '@', value_of(part.metric)) -%}
    {%- endfor -%}
    {{ return(formula.sql) }}
{%- endmacro -%}

{#- A metric's value, in a row that has those of all simple metrics. -#}
{%- macro value_of(metric) -%}
    {{ return('shown.' ~ metric.name if metric.type == 'simple' else '(' ~ metric.formula ~ ')') }}
{%- endmacro -%}

{#- What `config.meta` says: the last word is that of the last node. -#}
{%- macro merged_meta(nodes) -%}
    {%- set meta = {} -%}
    {%- for node in nodes -%}
        {%- do meta.update((node.config or {}).get('meta') or {}) -%}
    {%- endfor -%}
    {{ return(meta) }}
{%- endmacro -%}
