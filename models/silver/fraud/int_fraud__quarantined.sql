{{ config(materialized='view') }}

with

outcomes as (

    select * from {{ ref('stg_fraud__outcomes') }}

),

decisions as (

    select distinct transaction_key from {{ ref('stg_fraud__decisions') }}

),

quarantined as (

    select
        outcomes.event_id,
        outcomes.batch_id,
        outcomes.transaction_key,
        {{ utc_day('outcomes.recorded_at') }} as recorded_on,
        'decision_missing' as code
    from outcomes
    left join decisions on outcomes.transaction_key = decisions.transaction_key
    where decisions.transaction_key is null

)

select * from quarantined
