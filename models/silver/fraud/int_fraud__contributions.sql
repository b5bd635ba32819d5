{{ config(materialized='view') }}

-- A decision that nobody explained explains itself.
with

decisions as (

    select * from {{ ref('int_fraud__decisions') }}

),

attributed_features as (

    select * from {{ ref('int_fraud__attributed_features') }}

),

features as (

    select * from {{ ref('int_fraud__feature_values') }}
    where contribution is not null

),

attributed as (

    select distinct event_id from attributed_features

),

told as (

    select
        event_id,
        batch_id,
        method,
        feature,
        contribution,
        number_value
    from attributed_features
    union all
    select
        features.event_id,
        features.batch_id,
        'other' as method,
        features.feature,
        features.contribution,
        features.number_value
    from features
    left join attributed on features.event_id = attributed.event_id
    where attributed.event_id is null

),

contributions as (

    select
        told.event_id,
        decisions.batch_id || '+' || told.batch_id as batch_id,
        told.method,
        told.feature,
        told.contribution,
        told.number_value,
        decisions.transaction_key,
        decisions.subject_key,
        {{ utc_day('decisions.decided_at') }} as decided_on
    from told
    inner join decisions on told.event_id = decisions.event_id

)

select * from contributions
