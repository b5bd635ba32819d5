{{ config(materialized='view') }}

{%- set paths = ['$.metric', '$.threshold', '$.direction', '$.action'] -%}
{%- set guarded = ['conversion_rate', 'auth_success_rate', 'latency_p95', 'manual_review_rate'] -%}

-- Of two for the same metric and direction, the stricter one stands.
with

experiments as (

    select * from {{ ref('stg_fraud__experiments') }}
    where status != 'draft'

),

opened as (

    select
        experiments.experiment_id,
        experiments.started_on,
        {{ json_texts('listing.element', paths) }} as texts
    from experiments
    cross join {{ json_elements('experiments.guardrails', 'listing') }}

),

spelled as (

    select
        experiment_id,
        started_on,
        {{ spelling(list_item('texts', 1)) }} as metric,
        {{ spelling(list_item('texts', 3)) }} as direction,
        {{ spelling(list_item('texts', 4)) }} as action,
        {{ try_cast(list_item('texts', 2), 'float64') }} as threshold
    from opened

),

known as (

    select
        *,
        row_number() over (
            partition by experiment_id, metric, direction
            order by case when direction = 'above' then threshold else -threshold end, action
        ) as place
    from spelled
    where
        metric in (
            {%- for name in guarded %}
                '{{ name }}'{{ ',' if not loop.last }}
            {%- endfor %}
        )
        and direction in ('above', 'below')
        and action in ('alert', 'pause_variant', 'stop_experiment')
        and threshold >= 0

),

guardrails as (

    select
        experiment_id,
        started_on,
        metric,
        direction,
        threshold,
        action
    from known
    where place = 1

)

select * from guardrails
