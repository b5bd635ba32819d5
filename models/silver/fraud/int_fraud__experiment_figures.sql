{{ config(materialized='view') }}

{%- set variant = ['started_on', 'experiment_id', 'variant_id'] -%}
{%- set p95 = {'input': 'total_latency_ms', 'fraction': 0.95, 'name': 'latency'} -%}

with

published as (

    select * from {{ ref('int_fraud__published_experiments') }}
    where is_published

),

people as (

    select
        {{ variant | join(', ') }},
        subject_key,
        {%- for name, metric in experiment_metrics().items() %}
            {%- set part = 'cast(' ~ metric.sum ~ ' as float64)' if metric.sum else '1e0' %}
            {%- set among = metric.told ~ ' and ' ~ metric.among %}
            sum(case when {{ among }} then 1e0 else 0e0 end) as {{ name }}_whole,
            {%- set of = metric.of or metric.sum ~ ' is not null' %}
            sum(case when {{ among }} and {{ of }} then {{ part }} else 0e0 end)
                as {{ name }}_part
            {%- if not loop.last %},{% endif %}
        {%- endfor %}
    from published
    group by {{ variant | join(', ') }}, subject_key

),

people_by_metric as (

    {% for name in experiment_metrics() -%}
        select
            {{ variant | join(', ') }},
            '{{ name }}' as metric,
            {{ name }}_part as part,
            {{ name }}_whole as whole
        from people
        {{ 'union all' if not loop.last }}
    {% endfor %}
),

{{ ratios_of_people('people_by_metric', variant + ['metric'], into='ratios') }}

timed as (

    select
        {{ variant | join(', ') }},
        total_latency_ms as total_latency_ms__value
    from published

),

latencies as (

    {{ percentiles_by('timed', variant, [p95]) }}

),

-- A tail needs people of its own.
tails as (

    select
        {{ variant | join(', ') }},
        count(distinct subject_key) as units
    from published
    group by {{ variant | join(', ') }}
    having count(distinct subject_key) >= {{ var('tail_subjects') }}

),

figures as (

    select
        {{ variant | join(', ') }},
        metric,
        units,
        value,
        variance
    from ratios
    union all
    select
        tails.started_on,
        tails.experiment_id,
        tails.variant_id,
        'latency_p95' as metric,
        tails.units,
        {{ rounded('latencies.latency', 3) }} as value,
        cast(null as float64) as variance
    from tails
    inner join latencies on {{ same('tails', 'latencies', variant) }}

)

select * from figures
