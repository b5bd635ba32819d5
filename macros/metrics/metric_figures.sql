{#-
    Every metric of a fact in every period: hours, days, ISO weeks and months, in total and by one
    dimension at a time. One pass over the fact for all of them.

    `changed` has the days, weeks and months to compute, or is none for all. In total, a period
    without a row of the fact has counts of 0 and no rates. By a dimension, only values that occur
    in the period have a row.
-#}
{%- macro metric_figures(fact, changed=none) -%}
{%- set simple = fact.metrics | selectattr('type', 'equalto', 'simple') | list -%}
{%- set flags = simple | map(attribute='flag') | unique | list -%}
{%- set summed = simple | selectattr('agg', 'in', ['sum', 'average']) | list -%}
{%- set ranked = simple | selectattr('agg', 'equalto', 'percentile') | list -%}
{%- set distinct_counts = simple | selectattr('agg', 'equalto', 'count_distinct') | rejectattr('expression', 'equalto', published(fact.subject)) | list -%}
{%- set partial = simple | selectattr('hidden') | list -%}
{%- set valued = summed + ranked + distinct_counts -%}
{%- set cell = ['period', 'period_start', 'dimension', 'dimension_value'] -%}
{%- set places = places_of(fact) -%}
    with

    -- Which metrics count a row, and with which value.
    published as (

        select
            {{ fact.subject }} as subject,
            {%- for period, start in period_starts(fact, changed).items() %}
            {{ start }} as in_{{ period }},
            {%- endfor %}
            {%- for dimension in fact.dimensions %}
            {{ dimension }} as by_{{ dimension }},
            {%- endfor %}
            {{ counted_by(simple) }} as counted_by,
            {%- for metric in valued if metric.input == metric.name %}
            case when {{ metric.condition }} then {{ metric.expression }} end as {{ metric.name }}__value,
            {%- endfor %}
            {%- for metric in partial %}
            case when {{ metric.hidden }} then 1 else 0 end as {{ metric.name }}__hidden,
            {%- if metric.meta.one %}
            case when is_published and ({{ metric.condition }}) then {{ metric.meta.one }} end as {{ metric.name }}__one,
            {%- endif %}
            {%- endfor %}
            {{ 'is_published,' if partial }}
            labelled_at
        from {{ ref(fact.model) }}
        where
            {{ 'true' if partial else 'is_published' }}
            {%- if changed %}
            and {{ fact.day }} between date '{{ changed.first }}' and date '{{ changed.last }}'
            {%- endif %}

    ),

    kinds as (

        {% for period in period_starts(fact, changed) -%}
        select '{{ period }}' as period
        {{ 'union all' if not loop.last }}
        {% endfor %}
    ),

    dimensions as (

        select 'total' as dimension
        {%- for dimension in fact.dimensions %}
        union all
        select '{{ dimension }}' as dimension
        {%- endfor %}

    ),

    -- Rows that no cell tells apart are one, with all that is counted and added up of them.
    folded as (

        select
            {{ places | join(', ') }},
            {{ 'is_published,' if partial }}
            {%- for flag in flags %}
            count(case when {{ is_counted_by(flag, flags) }} then 1 end) as {{ flag }}__rows,
            {%- endfor %}
            {%- for metric in summed %}
            sum({{ metric.input }}__value) as {{ metric.name }}__sum,
            {%- endfor %}
            {%- for metric in partial %}
            max({{ metric.name }}__hidden) as {{ metric.name }}__hidden,
            {%- if metric.meta.one %}
            min({{ metric.name }}__one) as {{ metric.name }}__least,
            max({{ metric.name }}__one) as {{ metric.name }}__most,
            {%- endif %}
            {%- endfor %}
            max(labelled_at) as labelled_at
        from published
        group by {{ places | join(', ') }}{{ ', is_published' if partial }}

    ),

    folded_in_cells as (

        {{ in_cells('folded', fact) }}

    ),

    {% if partial -%}
    -- What withheld and hidden rows, and sums that are not shown, leave of a cell is a part of it.
    parts as (

        select
            {{ cell | join(', ') }},
            {%- for metric in partial %}
            max({{ metric.name }}__hidden) = 1
            {{- ' or min(' ~ metric.name ~ '__least) != max(' ~ metric.name ~ '__most)' if metric.meta.one }} as {{ metric.name }}__is_part,
            {%- endfor %}
            max(labelled_at) as updated_at
        from folded_in_cells
        where period_start is not null
        group by {{ cell | join(', ') }}

    ),

    {% endif -%}

    counted as (

        select
            {{ cell | join(', ') }},
            {%- for flag in flags %}
            cast(sum({{ flag }}__rows) as int64) as {{ flag }}__rows,
            {%- endfor %}
            {%- for metric in summed %}
            sum({{ metric.name }}__sum) as {{ metric.name }}__sum,
            {%- endfor %}
            max(labelled_at) as updated_at
        from folded_in_cells
        where period_start is not null{{ ' and is_published' if partial }}
        group by {{ cell | join(', ') }}

    ),

    -- A person is one row here, whichever metrics count them: one pass for the people of all metrics.
    persons as (

        select
            {{ places | join(', ') }},
            subject,
            bit_or(counted_by) as counted_by
        from published
        where subject is not null{{ ' and is_published' if partial }}
        group by {{ places | join(', ') }}, subject

    ),

    persons_in_cells as (

        {{ in_cells('persons', fact) }}

    ),

    by_person as (

        select
            {{ cell | join(', ') }},
            bit_or(counted_by) as counted_by
        from persons_in_cells
        where period_start is not null
        group by {{ cell | join(', ') }}, subject

    ),

    people as (

        select
            {{ cell | join(', ') }}
            {%- for flag in flags %},
            count(case when {{ is_counted_by(flag, flags) }} then 1 end) as {{ flag }}__people
            {%- endfor %}
        from by_person
        group by {{ cell | join(', ') }}

    ),

    {% if ranked or distinct_counts -%}
    values_in_cells as (

        {{ in_cells('published', fact) }}

    ),

    told_values as (

        select * from values_in_cells
        where period_start is not null{{ ' and is_published' if partial }}

    ),

    {% endif -%}
    {%- if ranked -%}
    percentiles as (

        {{ percentiles_by('told_values', cell, ranked) }}

    ),

    {% endif -%}
    {%- if distinct_counts -%}
    distinct_counts as (

        select
            {{ cell | join(', ') }}
            {%- for metric in distinct_counts %},
            count(distinct {{ metric.input }}__value) as {{ metric.name }}
            {%- endfor %}
        from told_values
        group by {{ cell | join(', ') }}

    ),

    {% endif -%}
    {{ metric_periods(fact, changed) }}

    cells as (

        select
            *,
            'total' as dimension,
            'all' as dimension_value
        from periods
        union all
        select
            periods.*,
            counted.dimension,
            counted.dimension_value
        from periods
        inner join counted on {{ same('periods', 'counted', ['period', 'period_start']) }}
        where counted.dimension != 'total'

    ),

    shown as (

        select
            cells.*,
            {%- for metric in simple %}
            {{ shown_value(metric, fact) }} as {{ metric.name }},
            {%- endfor %}
            {%- for flag in flags %}
            case when people.{{ flag }}__people >= {{ var('k') }} then people.{{ flag }}__people end as {{ flag }}__people,
            {%- endfor %}
            coalesce({{ 'parts' if partial else 'counted' }}.updated_at, cells.period_start) as updated_at
        from cells
        left join counted on {{ same('cells', 'counted', cell) }}
        {%- if partial %}
        left join parts on {{ same('cells', 'parts', cell) }}
        {%- endif %}
        left join people on {{ same('cells', 'people', cell) }}
        {%- if ranked %}
        left join percentiles on {{ same('cells', 'percentiles', cell) }}
        {%- endif %}
        {%- if distinct_counts %}
        left join distinct_counts on {{ same('cells', 'distinct_counts', cell) }}
        {%- endif %}

    ),

    names as (

        {% for metric in fact.metrics -%}
        select '{{ metric.name }}' as metric_name
        {{ 'union all' if not loop.last }}
        {% endfor %}
    ),

    -- A metric is not split by a dimension that its filter names: each part would be all or nothing.
    figures as (

        select
            names.metric_name,
            shown.period,
            shown.period_start,
            shown.dimension,
            shown.dimension_value,
            case names.metric_name
                {%- for metric in fact.metrics %}
                when '{{ metric.name }}' then cast({{ value_of(metric) }} as float64)
                {%- endfor %}
            end as value,
            case names.metric_name
                {%- for metric in fact.metrics %}
                when '{{ metric.name }}' then {{ 'case when ' ~ value_of(metric) ~ ' is not null then ' if metric.hidden }}shown.{{ metric.flag }}__people{{ ' end' if metric.hidden }}
                {%- endfor %}
            end as subjects,
            shown.is_complete,
            shown.updated_at
        from shown
        cross join names
        where
            true
            {%- for metric in fact.metrics if metric.named %}
            and not (names.metric_name = '{{ metric.name }}' and shown.dimension in ('{{ metric.named | join("', '") }}'))
            {%- endfor %}

    )

    select * from figures
{%- endmacro -%}

{#- The columns that say in which cells a row is: the start of each period, the value of each dimension. -#}
{%- macro places_of(fact) -%}
    {%- set places = [] -%}
    {%- for period in period_starts(fact) -%}
        {%- do places.append('in_' ~ period) -%}
    {%- endfor -%}
    {%- for dimension in fact.dimensions -%}
        {%- do places.append('by_' ~ dimension) -%}
    {%- endfor -%}
    {{ return(places) }}
{%- endmacro -%}

{#- Query for rows in each of their cells: period by period, dimension by dimension. -#}
{%- macro in_cells(relation, fact) -%}
    select
        {{ relation }}.*,
        kinds.period,
        case kinds.period
            {%- for period in period_starts(fact) %}
            when '{{ period }}' then {{ relation }}.in_{{ period }}
            {%- endfor %}
        end as period_start,
        dimensions.dimension,
        case dimensions.dimension
            {%- for dimension in fact.dimensions %}
            when '{{ dimension }}' then {{ relation }}.by_{{ dimension }}
            {%- endfor %}
            else 'all'
        end as dimension_value
    from {{ relation }}
    cross join kinds
    cross join dimensions
{%- endmacro -%}
