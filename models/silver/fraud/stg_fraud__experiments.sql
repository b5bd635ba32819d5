{{ config(materialized='view') }}

{%- set ids = ['$[0].id', '$[0].variantId', '$[0].variant_id'] -%}

with

versions as (

    select * from {{ ref('stg_fraud__experiment_versions') }}
    where valid_to is null

),

opened as (

    select
        *,
        {{ first_text(json_texts('variants', ids), ids, ids) }} as first_listed,
        {{ list_item(json_texts('success_metrics', ['$[0]']), 1) }} as first_metric
    from versions

),

experiments as (

    select
        experiment_id,
        batch_id,
        version_number,
        status,
        started_on,
        ended_on,
        traffic_split,
        variants,
        guardrails,
        {{ plain_version('first_listed') }} as first_variant,
        {{ spelling('first_metric') }} as primary_metric
    from opened

)

select * from experiments
