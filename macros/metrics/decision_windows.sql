{#-
    CTEs, the last of which is `figures`: what is told of each window of decisions, one row per value
    of `keys`. The relation has the published decisions of each window, with the `minutes` it is long
    and how finely it is cut, `needs`: 3 where it is an hour, 2 where it is made of whole days.
-#}
{%- macro decision_windows(relation, keys) -%}
{%- set latencies = ['model', 'rule', 'total'] -%}
{%- set percentiles = {'p50': 0.5, 'p95': 0.95, 'p99': 0.99} -%}
{%- set metrics = [] -%}
{%- for latency in latencies -%}
    {%- for name, fraction in percentiles.items() -%}
        {%- do metrics.append({'name': latency ~ '_' ~ name, 'input': latency, 'fraction': fraction}) -%}
    {%- endfor -%}
{%- endfor -%}
timed as (

    select
        {{ keys | join(', ') }},
        {%- for latency in latencies %}
        {{ latency }}_latency_ms as {{ latency }}__value{{ ',' if not loop.last }}
        {%- endfor %}
    from {{ relation }}

),

percentiles as (

    {{ percentiles_by('timed', keys, metrics) }}

),

people as (

    select
        {{ keys | join(', ') }},
        subject_key,
        count(label_delay_hours) as delays,
        {%- for latency in latencies %}
        count({{ latency }}_latency_ms) as {{ latency }}_rows{{ ',' if not loop.last }}
        {%- endfor %}
    from {{ relation }}
    where subject_key is not null
    group by {{ keys | join(', ') }}, subject_key

),

-- One pass over people, which is twice as fast as to count distinct ones of each figure.
crowds as (

    select
        {{ keys | join(', ') }},
        count(*) as people,
        count(case when delays > 0 then 1 end) as delayed_people,
        {%- for latency in latencies %}
        count(case when {{ latency }}_rows > 0 then 1 end) as {{ latency }}_people{{ ',' if not loop.last }}
        {%- endfor %}
    from people
    group by {{ keys | join(', ') }}

),

counted as (

    select
        {{ keys | join(', ') }},
        max(minutes) as minutes,
        count(*) as decisions,
        {%- for decision in ['approved', 'declined', 'review'] %}
        {{ told_decisions('verdict', "decision = '" ~ decision ~ "'", 'max(needs)') }} as {{ decision }},
        {%- endfor %}
        {{ confusion_counts('truth', 'max(needs)') }},
        {{ told_decisions('chargeback', "decision = 'approved'", 'max(needs)') }} as settled,
        {{ told_decisions('chargeback', "decision = 'approved' and is_chargeback", 'max(needs)') }} as chargebacks,
        min(case when has_costs and needs = 2 then 1 else 0 end) = 1
        and count(distinct case when false_positive_cost_minor is not null then currency end) <= 1
            as tells_costs,
        count(false_positive_cost_minor) as costs,
        count(
            case when is_positive and not is_fraud and false_positive_cost_minor is null then 1 end
        ) as costs_missing,
        sum(false_positive_cost_minor) as cost_minor,
        max(case when false_positive_cost_minor is not null then currency end) as cost_currency,
        {%- for latency in latencies %}
        count({{ latency }}_latency_ms) as {{ latency }}_rows,
        {%- endfor %}
        avg(cast(label_delay_hours as float64)) as label_delay_hours
    from {{ relation }}
    group by {{ keys | join(', ') }}

),

figures as (

    select
        {{ qualified('counted', keys) }},
        counted.decisions,
        counted.approved,
        counted.declined,
        counted.review,
        counted.true_positives,
        counted.false_positives,
        counted.true_negatives,
        counted.false_negatives,
        counted.labelled,
        counted.unlabelled,
        counted.chargebacks,
        case when crowds.delayed_people >= {{ var('k') }} then counted.label_delay_hours end as label_delay_hours,
        case when crowds.people >= {{ var('k') }} then crowds.people end as subjects,
        {{ ratio('counted.approved', 'counted.decisions') }} as approval_rate,
        {{ precision_of('counted.true_positives', 'counted.false_positives') }} as precision_rate,
        {{ recall_of('counted.true_positives', 'counted.false_negatives') }} as recall_rate,
        {{ recall_of('counted.true_positives', 'counted.false_negatives') }} as capture_rate,
        {{ f1_of('counted.true_positives', 'counted.false_positives', 'counted.false_negatives') }} as f1_score,
        {{ ratio('counted.chargebacks', 'counted.settled') }} as chargeback_rate,
        case when counted.tells_costs then cast(coalesce(counted.cost_minor, 0) as int64) end
            as false_positive_cost_minor,
        case when counted.tells_costs then counted.cost_currency end as cost_currency,
        case when counted.tells_costs then {{ ratio('counted.cost_minor', 'counted.costs') }} end
            as average_false_positive_cost_minor,
        case when counted.tells_costs then counted.costs_missing end as false_positives_without_cost,
        {%- for latency in latencies %}
        case
            when crowds.{{ latency }}_people >= {{ var('k') }}
                then {{ whole_ms('percentiles.' ~ latency ~ '_p50') }}
        end as {{ latency }}_p50_ms,
        {%- for tail in ['p95', 'p99'] %}
        case
            when
                crowds.{{ latency }}_people >= {{ var('tail_subjects') }}
                or counted.{{ latency }}_rows >= {{ var('safe_rows') }}
                then {{ whole_ms('percentiles.' ~ latency ~ '_' ~ tail) }}
        end as {{ latency }}_{{ tail }}_ms,
        {%- endfor %}
        {%- endfor %}
        {{ ratio('counted.decisions', 'counted.minutes') }} as decisions_per_minute
    from counted
    inner join percentiles on {{ same('counted', 'percentiles', keys) }}
    left join crowds on {{ same('counted', 'crowds', keys) }}

),
{%- endmacro -%}
