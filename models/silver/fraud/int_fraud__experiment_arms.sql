{{ config(materialized='view') }}

{%- set keys = ['started_on', 'experiment_id', 'variant_id'] -%}

-- Variants that are told: k people are in them, or nobody. Whether the traffic was split as it
-- should be is asked of these alone, so that it tells nothing of the others.
with

published as (

    select * from {{ ref('int_fraud__published_experiments') }}

),

variants as (

    select * from {{ ref('int_fraud__experiment_variants') }}

),

counted as (

    select
        {{ keys | join(', ') }},
        is_published,
        count(*) as decisions,
        count(distinct subject_key) as subjects
    from published
    group by {{ keys | join(', ') }}, is_published

),

labelled as (

    select
        started_on,
        experiment_id,
        max(labelled_at) as labelled_at
    from published
    where is_published
    group by started_on, experiment_id

),

told as (

    select
        variants.started_on,
        variants.experiment_id,
        variants.variant_id,
        variants.is_control,
        variants.status,
        variants.primary_metric,
        labelled.labelled_at,
        coalesce(counted.decisions, 0) as decisions,
        coalesce(counted.subjects, 0) as subjects,
        variants.expected_share
        / sum(variants.expected_share) over (partition by variants.experiment_id)
            as expected_share
    from variants
    inner join labelled on {{ same('variants', 'labelled', ['started_on', 'experiment_id']) }}
    left join counted on {{ same('variants', 'counted', keys) }}
    where coalesce(counted.is_published, true)

),

shared as (

    select
        *,
        sum(subjects) over (partition by experiment_id) as all_subjects
    from told

),

splits as (

    select
        experiment_id,
        count(*) - 1 as freedom,
        sum(
            power(subjects - all_subjects * expected_share, 2) / (all_subjects * expected_share)
        ) as statistic
    from shared
    group by experiment_id

),

rooted as (

    select
        *,
        {{ normal_tail('sqrt(statistic)') }} as root_tail
    from splits

),

tested as (

    select
        experiment_id,
        {{ chi_square_tail('statistic', 'freedom', 'root_tail') }} as ratio_p_value
    from rooted

),

arms as (

    select
        shared.started_on,
        shared.experiment_id,
        shared.variant_id,
        shared.is_control,
        shared.status,
        shared.primary_metric,
        shared.decisions,
        shared.subjects,
        shared.expected_share,
        tested.ratio_p_value,
        shared.labelled_at,
        {{ ratio('shared.subjects', 'shared.all_subjects') }} as actual_share,
        coalesce(tested.ratio_p_value < {{ var('experiment_ratio_alpha') }}, false)
            as has_ratio_mismatch
    from shared
    inner join tested on shared.experiment_id = tested.experiment_id

)

select * from arms
