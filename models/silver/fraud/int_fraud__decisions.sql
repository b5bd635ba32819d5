{{ config(materialized='view') }}

{#- As of the end of a day, only what was said by then is known; without one, all that was said. -#}
{%- set day = var('fraud_as_of', none) -%}
{%- set is_landed = utc_day('ingested_at') ~ " <= date '" ~ day ~ "'" if day else 'true' -%}
{%- set positives = "'" ~ var('fraud_positives') | join("', '") ~ "'" -%}
{%- set properties = [
    'is_fraud', 'is_chargeback', 'is_authorized', 'is_converted',
    'false_positive_cost_minor', 'overridden_decision',
] %}

with

decisions as (

    select * from {{ ref('stg_fraud__decisions') }}
    {%- if day %}
        where {{ utc_day('decided_at') }} <= date '{{ day }}'
    {%- endif %}

),

outcomes as (

    select * from {{ ref('stg_fraud__outcomes') }}
    {%- if day %}
        where {{ utc_day('recorded_at') }} <= date '{{ day }}'
    {%- endif %}

),

default_costs as (

    select * from {{ ref('false_positive_costs') }}

),

-- What came with a decision was not known before it landed.
said as (

    select
        transaction_key,
        event_id,
        batch_id,
        is_fraud,
        is_chargeback,
        is_authorized,
        is_converted,
        false_positive_cost_minor,
        overridden_decision,
        recorded_at
    from outcomes
    union all
    select
        transaction_key,
        event_id,
        batch_id,
        is_fraud,
        is_chargeback,
        cast(null as bool) as is_authorized,
        cast(null as bool) as is_converted,
        cast(null as int64) as false_positive_cost_minor,
        cast(null as string) as overridden_decision,
        ingested_at as recorded_at
    from decisions
    where
        (is_fraud is not null or is_chargeback is not null)
        and {{ is_landed }}

),

numbered as (

    select
        *,
        {%- for property in properties %}
            row_number() over (
                partition by transaction_key, {{ property }} is null
                order by recorded_at desc, event_id desc
            ) as {{ property }}_place
            {%- if not loop.last %},{% endif %}
        {%- endfor %}
    from said

),

known as (

    select
        transaction_key,
        string_agg(distinct batch_id, '+' order by batch_id) as batch_id,
        {%- for property in properties[:4] %}
            max(case when {{ property }}_place = 1 then cast({{ property }} as int64) end) = 1
                as {{ property }},
        {%- endfor %}
        {%- for property in properties[4:] %}
            max(case when {{ property }}_place = 1 then {{ property }} end) as {{ property }},
        {%- endfor %}
        min(case when is_fraud is not null then recorded_at end) as labelled_at
    from numbered
    group by transaction_key

),

-- The newest day of which anything is told, and none to come.
clock as (

    {% if day -%}
        select date '{{ day }}' as today
    {%- else -%}
        select {{ utc_day('least(max(said_at), ' ~ now_utc() ~ ')') }} as today
        from (
            select decided_at as said_at from decisions
            union all
            select recorded_at as said_at from outcomes
        ) as times
    {%- endif %}

),

aged as (

    select
        decisions.*,
        {{ date_distance(utc_day('decisions.decided_at'), 'clock.today', 'day') }}
        >= {{ var('label_maturity_days') }} as is_mature
    from decisions
    cross join clock

),

-- Of a transaction that was let through, silence says in the end that it was none; of one that was
-- not, nobody will ever hear.
judged as (

    select
        aged.*,
        known.labelled_at,
        known.false_positive_cost_minor as cost_sent,
        known.overridden_decision,
        known.is_authorized,
        known.is_converted,
        known.is_fraud as reported_fraud,
        aged.decision in ({{ positives }}) as is_positive,
        coalesce(known.is_chargeback, false) as was_charged_back,
        coalesce(aged.batch_id || '+' || known.batch_id, aged.batch_id) as batches,
        case
            when known.is_fraud is not null then 'reported'
            when
                aged.decision = 'approved'
                and aged.is_mature
                and not coalesce(known.is_chargeback, false)
                then 'presumed'
            else 'none'
        end as label_kind
    from aged
    left join known on aged.transaction_key = known.transaction_key

),

costed as (

    select
        judged.*,
        coalesce(judged.cost_sent, of_category.cost_minor, of_currency.cost_minor) as cost_minor,
        case
            when judged.label_kind = 'presumed' then false
            else judged.reported_fraud
        end as was_fraud
    from judged
    left join default_costs as of_category
        on
            judged.currency = of_category.currency
            and judged.merchant_category = of_category.merchant_category
    left join default_costs as of_currency
        on judged.currency = of_currency.currency and of_currency.merchant_category = 'any'

),

known_decisions as (

    select
        -- ids
        event_id,
        batches as batch_id,
        transaction_key,
        merchant_key,
        device_key,

        -- what was decided, and by what
        decision,
        is_positive,
        final_score,
        model_version,
        rule_version,
        model_provider,
        channel,
        country,
        currency,
        model_latency_ms,
        rule_latency_ms,
        total_latency_ms,
        experiment_id,
        variant_id,

        -- what came of it
        label_kind,
        overridden_decision,
        is_authorized,
        is_converted,
        decided_at,
        was_fraud as is_fraud,
        was_charged_back as is_chargeback,
        coalesce(customer_key, device_key) as subject_key,
        case
            when label_kind = 'reported'
                then {{ seconds_between('decided_at', 'labelled_at') }} / 3600
        end as label_delay_hours,
        case when is_positive and not was_fraud and currency is not null then cost_minor end
            as false_positive_cost_minor
    from costed

)

select * from known_decisions
