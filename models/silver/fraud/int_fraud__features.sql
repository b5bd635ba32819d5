{{ config(
    materialized='incremental',
    incremental_strategy='renew',
    meta={'renews': {'batches': 'int_fraud__batches_to_flatten'}}
) }}

{%- set lines = ['event_id', 'batch_id', 'decided_on', 'subject_key'] %}

-- A decision has a row even without features, or where an erasure has emptied its line: a batch is
-- flattened once all of its are here.
with

batches as (

    select * from {{ ref('int_fraud__batches_to_flatten') }}

),

decisions as (

    select * from {{ ref('stg_fraud__decisions') }}

),

fraud_decisions as (

    select * from {{ source('bronze', 'fraud_decisions') }}
    where {{ is_renewed('ingest_date') }}

),

sent as (

    select
        decisions.event_id,
        decisions.batch_id,
        fraud_decisions.features,
        {{ utc_day('decisions.decided_at') }} as decided_on,
        coalesce(decisions.customer_key, decisions.device_key) as subject_key
    from decisions
    inner join batches on decisions.batch_id = batches.batch_id
    left join fraud_decisions
        on {{ same('decisions', 'fraud_decisions', ['batch_id', 'line_number', 'event_id']) }}

),

fields as (

    {{ json_fields('sent', 'features', lines) }}

),

typed as (

    select
        {{ lines | join(', ') }},
        field_kind,
        case
            when
                {{ is_word(lower_case('field_name')) }}
                and field_name not in ('none', 'unnamed')
                then field_name
        end as feature,
        case when field_kind = 'number' then {{ try_cast('field_text', 'float64') }} end
            as number_value,
        case when field_kind in ('string', 'boolean') then {{ lower_case('field_text') }} end
            as lower_text
    from fields

),

-- What is no word is not kept, and a name that is none is not even told apart.
named as (

    select
        {{ lines | join(', ') }},
        feature,
        number_value,
        case when {{ is_word('lower_text') }} then lower_text end as word,
        case
            when number_value is not null then 'number'
            when field_kind = 'null' then 'null'
            when lower_text is null then 'structure'
            when {{ is_word('lower_text') }} then 'word'
            else 'text'
        end as kind
    from typed
    where feature is not null
    union all
    select distinct
        {{ lines | join(', ') }},
        'unnamed' as feature,
        cast(null as float64) as number_value,
        cast(null as string) as word,
        'text' as kind
    from typed
    where feature is null
    union all
    select
        {{ lines | join(', ') }},
        'none' as feature,
        cast(null as float64) as number_value,
        cast(null as string) as word,
        'null' as kind
    from sent

),

flattened as (

    select
        *,
        {{ now_utc() }} as labelled_at
    from named

)

select * from flattened
