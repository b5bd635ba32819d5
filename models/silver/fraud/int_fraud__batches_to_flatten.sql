{{ config(materialized='table') }}

{%- set flattened = adapter.get_relation(this.database, this.schema, 'int_fraud__features')
    if execute %}

-- Batches whose decisions are not those that their features are of. One that bronze no longer
-- holds is left alone.
with

kept_decisions as (

    select * from {{ ref('stg_fraud__decisions') }}

),

held as (

    select distinct batch_id from {{ source('bronze', 'fraud_decisions') }}

),

kept as (

    select
        batch_id,
        min({{ utc_day('ingested_at') }}) as landed_on,
        count(*) as decisions
    from kept_decisions
    group by batch_id

),

{% if flattened -%}
flattened as (

    select
        batch_id,
        count(distinct event_id) as decisions
    from {{ flattened }}
    group by batch_id

),
{%- endif %}

to_flatten as (

    select
        kept.batch_id,
        kept.landed_on
    from kept
    inner join held on kept.batch_id = held.batch_id
    {%- if flattened %}
        left join flattened on kept.batch_id = flattened.batch_id
        where
            kept.decisions != coalesce(flattened.decisions, 0)
            {%- if is_read_again(['int_fraud__features']) %}
                or {{ in_rebuilt_span('kept.landed_on') }}
            {%- endif %}
    {%- endif %}

)

select * from to_flatten
