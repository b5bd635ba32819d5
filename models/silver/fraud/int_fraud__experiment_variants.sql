{{ config(materialized='view') }}

{%- set ids = ['$.id', '$.variantId', '$.variant_id'] -%}

-- What the traffic split names, and without one all variants, alike.
with

experiments as (

    select * from {{ ref('stg_fraud__experiments') }}
    where status != 'draft'

),

opened as (

    select
        experiments.experiment_id,
        shares.name as variant_name,
        {{ try_cast('shares.text', 'float64') }} as weight
    from experiments
    cross join {{ json_entries('experiments.traffic_split', 'shares') }}

),

split_up as (

    select * from opened
    where weight > 0

),

split_experiments as (

    select distinct experiment_id from split_up

),

listed as (

    select
        experiments.experiment_id,
        {{ first_text(json_texts('listing.element', ids), ids, ids) }} as variant_name
    from experiments
    cross join {{ json_elements('experiments.variants', 'listing') }}

),

weighted as (

    select
        experiment_id,
        variant_name,
        weight
    from split_up
    union all
    select
        listed.experiment_id,
        listed.variant_name,
        1e0 as weight
    from listed
    left join split_experiments on listed.experiment_id = split_experiments.experiment_id
    where split_experiments.experiment_id is null

),

named as (

    select
        experiment_id,
        {{ plain_version('variant_name') }} as variant_id,
        sum(weight) as weight
    from weighted
    group by experiment_id, {{ plain_version('variant_name') }}

),

placed as (

    select
        named.experiment_id,
        named.variant_id,
        experiments.batch_id,
        experiments.status,
        experiments.started_on,
        experiments.ended_on,
        experiments.primary_metric,
        named.weight / sum(named.weight) over (partition by named.experiment_id) as expected_share,
        row_number() over (
            partition by named.experiment_id
            order by
                case when named.variant_id = 'control' then 0 else 1 end,
                case when named.variant_id = experiments.first_variant then 0 else 1 end,
                named.variant_id
        ) as place
    from named
    inner join experiments on named.experiment_id = experiments.experiment_id
    where named.variant_id is not null

),

variants as (

    select
        experiment_id,
        variant_id,
        batch_id,
        status,
        started_on,
        ended_on,
        primary_metric,
        expected_share,
        place = 1 as is_control
    from placed

)

select * from variants
