{#-
    Query for how many figures of the metric contract are of too few people, or say another number
    of them than their fact does: what `k_anonymous` is for a mart of metrics. People are recounted
    for every metric, period, dimension and value.
-#}
{%- macro metrics_too_small(mart) -%}
{%- for fact in metric_facts() %}
-- depends_on: {{ ref(fact) }}
{%- endfor %}
with

recounted as (

    {% for fact in metric_contract() -%}
    select * from (
        {{ recounted_metrics(fact) }}
    ) as {{ fact.model }}
    {{ 'union all' if not loop.last }}
    {% endfor %}
),

checked as (

    select
        mart.value,
        mart.subjects,
        mart.value is not null and mart.value != 0 as is_shown,
        recounted.row_total,
        recounted.people,
        recounted.agg,
        recounted.is_partial,
        recounted.people >= recounted.least_people
        or (recounted.row_total >= recounted.least_rows and (recounted.is_safe or mart.dimension_value = 'Other'))
            as is_enough
    from {{ mart }} as mart
    left join recounted
        on {{ same('mart', 'recounted', ['metric_name', 'granularity', 'period_start', 'dimension', 'dimension_value']) }}

),

violations as (

    select * from checked
    where
        (is_shown and not coalesce(is_enough, false))
        or (
            coalesce(subjects, -1) != case when people >= {{ var('k') }} then people else -1 end
            and not (is_partial and value is null and subjects is null)
        )
        or (agg = 'count' and value != row_total)
        or (agg = 'people' and is_shown and value != people)

)

select count(*) as rows_too_small from violations
having count(*) > 0
{%- endmacro -%}

{#- Rows and people of each metric of a fact, in each of its cells. -#}
{%- macro recounted_metrics(fact) -%}
{%- set flags = fact.metrics | map(attribute='flag') | unique | list -%}
{%- set cell = ['granularity', 'period_start', 'dimension', 'dimension_value'] -%}
        with

        flagged as (

            select
                {{ fact.subject }} as subject
                {%- for period, start in period_starts(fact).items() %},
                {{ start }} as in_{{ period }}
                {%- endfor %}
                {%- for dimension in fact.dimensions %},
                {{ dimension }}
                {%- endfor %},
                {{ counted_by(fact.metrics | selectattr('type', 'equalto', 'simple')) }} as counted_by
            from {{ ref(fact.model) }}
            where is_published

        ),

        placed as (

            select
                flagged.*,
                granularities.granularity,
                case granularities.granularity
                    {%- for period in period_starts(fact) %}
                    when '{{ period }}' then flagged.in_{{ period }}
                    {%- endfor %}
                end as period_start,
                dimensions.dimension,
                case dimensions.dimension
                    {%- for dimension in fact.dimensions %}
                    when '{{ dimension }}' then flagged.{{ dimension }}
                    {%- endfor %}
                    else 'all'
                end as dimension_value
            from flagged
            cross join (
                {% for period in period_starts(fact) -%}
                select '{{ period }}' as granularity{{ ' union all ' if not loop.last }}
                {%- endfor %}
            ) as granularities
            cross join (
                {% for dimension in ['total'] + fact.dimensions -%}
                select '{{ dimension }}' as dimension{{ ' union all ' if not loop.last }}
                {%- endfor %}
            ) as dimensions

        ),

        people as (

            select
                {{ cell | join(', ') }},
                subject,
                bit_or(counted_by) as counted_by
            from placed
            where period_start is not null
            group by {{ cell | join(', ') }}, subject

        ),

        people_of_cells as (

            select
                {{ cell | join(', ') }}
                {%- for flag in flags %},
                count(case when {{ is_counted_by(flag, flags) }} then subject end) as {{ flag }}_people
                {%- endfor %}
            from people
            group by {{ cell | join(', ') }}

        ),

        rows_of_cells as (

            select
                {{ cell | join(', ') }}
                {%- for flag in flags %},
                count(case when {{ is_counted_by(flag, flags) }} then 1 end) as {{ flag }}
                {%- endfor %}
            from placed
            where period_start is not null
            group by {{ cell | join(', ') }}

        ),

        cells as (

            select
                rows_of_cells.*
                {%- for flag in flags %},
                people_of_cells.{{ flag }}_people
                {%- endfor %}
            from rows_of_cells
            inner join people_of_cells on {{ same('rows_of_cells', 'people_of_cells', cell) }}

        )

        {% for metric in fact.metrics -%}
        select
            {{ cell | join(', ') }},
            '{{ metric.name }}' as metric_name,
            '{{ "people" if metric.expression == published(fact.subject) else metric.agg }}' as agg,
            {{ metric.flag }} as row_total,
            {{ metric.flag }}_people as people,
            {{ var(metric.minimum[0]) }} as least_people,
            {{ var(metric.minimum[1]) if metric.minimum | length > 1 else 'cast(null as int64)' }} as least_rows,
            {{ 'true' if metric.hidden else 'false' }} as is_partial,
            dimension in ('{{ (["total"] + fact.safe) | join("', '") }}') as is_safe
        from cells
        {{ 'union all' if not loop.last }}
        {% endfor %}
{%- endmacro -%}
