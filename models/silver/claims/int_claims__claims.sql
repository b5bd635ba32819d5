{{ config(materialized='view') }}

{#- What the last event says that says it; columns that go together come from one event. -#}
{%- set told = {
    'customer_key': ['customer_key'],
    'customer_birth_year': ['customer_birth_year'],
    'claim_type': ['claim_type'],
    'claim_amount': ['claim_amount', 'currency'],
    'place': ['city', 'state', 'country'],
    'fraud_score': ['fraud_score'],
    'verification_result': ['verification_result'],
} %}

with

events as (

    select
        *,
        coalesce(city, state, country) as place
    from {{ ref('stg_claims__claim_events') }}
    where event_type != 'api_call'

),

currencies as (

    select * from {{ ref('currencies') }}

),

age_bands as (

    select * from {{ ref('amount_buckets') }}

),

numbered as (

    select
        *,
        {%- for name in told %}
            row_number() over (
                partition by claim_key, {{ name }} is null
                order by occurred_at desc, event_id desc
            ) as {{ name }}_place,
        {%- endfor %}
        row_number() over (
            partition by claim_key, is_fraud is null
            order by occurred_at desc, event_id desc
        ) as is_fraud_place
    from events

),

gathered as (

    select
        partner_id,
        claim_key,
        string_agg(distinct batch_id, '+' order by batch_id) as batch_id,
        {%- for name, columns in told.items() %}
            {%- for column in columns %}
                max(case when {{ name }}_place = 1 then {{ column }} end) as {{ column }},
            {%- endfor %}
        {%- endfor %}
        max(case when is_fraud_place = 1 then cast(is_fraud as int64) end) = 1 as is_fraud,
        count(case when event_type = 'fraud_detected' then 1 end) > 0 as is_flagged,
        count(
            distinct case
                when event_type = 'proof_generated' then coalesce(proof_key, event_id)
            end
        ) as proofs,
        max(processing_time_ms) as processing_time_ms,
        min(case when event_type = 'claim_submitted' then occurred_at end) as submitted_at,
        max(case when event_type = 'claim_verified' then occurred_at end) as verified_at,
        min(case when event_type = 'fraud_detected' then occurred_at end) as flagged_at,
        min(occurred_at) as first_seen_at
    from numbered
    group by partner_id, claim_key

),

claims as (

    select
        -- ids
        gathered.claim_key,
        gathered.batch_id,
        gathered.partner_id,
        gathered.customer_key,

        -- what is claimed, where and by whom
        gathered.claim_amount,
        gathered.city,
        gathered.state,
        gathered.country,

        -- what came of it
        gathered.verification_result,
        gathered.is_flagged,
        gathered.is_fraud,
        gathered.fraud_score,
        gathered.proofs,

        -- times
        gathered.submitted_at,
        gathered.verified_at,
        gathered.flagged_at,
        coalesce(gathered.customer_key, gathered.claim_key) as subject_key,
        coalesce(gathered.claim_type, 'unknown') as claim_type,
        coalesce(gathered.currency, 'unknown') as currency,
        {{ converted('1', exact_decimal('gathered.claim_amount') ~ ' * ' ~ exact_decimal(
            "case currencies.exponent when 0 then '1' when 2 then '100' when 3 then '1000' end"
        )) }} as amount_minor,
        age_bands.label as age_band,
        coalesce(gathered.verification_result = 'verified', false) as is_verified,
        {{ whole_ms('gathered.processing_time_ms') }} as processing_time_ms,
        coalesce(gathered.submitted_at, gathered.first_seen_at) as occurred_at
    from gathered
    left join currencies on gathered.currency = currencies.currency
    inner join age_bands
        on {{ bucket(
            "{} - gathered.customer_birth_year".format(var('age_reference_year')), 'age_bands', 'age'
        ) }}

)

select * from claims
