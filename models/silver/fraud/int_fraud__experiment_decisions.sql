{{ config(materialized='view') }}

-- A person belongs to the variant of their first decision in the experiment, and all that was
-- decided on them in it counts there: what came of the split, not of who changed sides.
with

decisions as (

    select * from {{ ref('int_fraud__decisions') }}
    where experiment_id is not null and variant_id is not null and subject_key is not null

),

experiments as (

    select * from {{ ref('stg_fraud__experiments') }}
    where status != 'draft'

),

variants as (

    select * from {{ ref('int_fraud__experiment_variants') }}

),

exposed as (

    select
        decisions.*,
        experiments.started_on,
        experiments.batch_id as experiment_batch_id,
        first_value(decisions.variant_id) over (
            partition by decisions.experiment_id, decisions.subject_key
            order by decisions.decided_at, decisions.event_id
        ) as first_variant
    from decisions
    inner join experiments
        on
            decisions.experiment_id = experiments.experiment_id
            and {{ utc_day('decisions.decided_at') }} >= experiments.started_on
    where
        experiments.ended_on is null
        or {{ utc_day('decisions.decided_at') }} <= experiments.ended_on

),

experiment_decisions as (

    select
        exposed.event_id,
        exposed.started_on,
        exposed.experiment_id,
        variants.variant_id,
        exposed.subject_key,
        exposed.decision,
        exposed.is_positive,
        exposed.label_kind,
        exposed.is_fraud,
        exposed.is_authorized,
        exposed.is_converted,
        exposed.false_positive_cost_minor,
        exposed.currency,
        exposed.total_latency_ms,
        exposed.batch_id || '+' || exposed.experiment_batch_id as batch_id
    from exposed
    inner join variants
        on
            exposed.experiment_id = variants.experiment_id
            and exposed.first_variant = variants.variant_id

)

select * from experiment_decisions
