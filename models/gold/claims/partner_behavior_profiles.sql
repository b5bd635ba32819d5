{{ config(
    materialized='incremental',
    incremental_strategy='renew',
    meta={'renews': {
        'days': 'period_start',
        'below': 'int_claims__published_claims',
        'day_below': 'claimed_month',
        'differ_by': 'labels',
        'reach': 'month',
    }}
) }}

{%- set mixes = ['claim_type', 'amount_bucket', 'hour_band'] %}

with

claims as (

    select *
    from {{ ref('int_claims__published_claims') }}
    where
        is_published
        and {{ is_renewed('claimed_month') }}

),

counted as (

    select
        claimed_month,
        partner_id,
        {{ claim_measures(['claimed_month', 'partner_id']) }},
        {{ told_part('verified', 'is_verified', ['claimed_month', 'partner_id']) }}
            as verified_claims
    from claims
    group by claimed_month, partner_id

),

counted_by_mix as (

    {% for mix in mixes -%}
        select
            claimed_month,
            partner_id,
            '{{ mix }}' as mix_name,
            {{ mix }} as mix_value,
            count(*) as claims
        from claims
        group by claimed_month, partner_id, {{ mix }}
        {{ 'union all' if not loop.last }}
    {% endfor %}
),

written as (

    select
        claimed_month,
        partner_id,
        mix_name,
        '{' || string_agg(
            '"' || mix_value || '": ' || cast(claims as string), ', ' order by mix_value
        ) || '}' as mix
    from counted_by_mix
    group by claimed_month, partner_id, mix_name

),

mixes as (

    select
        claimed_month,
        partner_id,
        max(case when mix_name = 'claim_type' then mix end) as claim_type_mix,
        max(case when mix_name = 'amount_bucket' then mix end) as amount_bucket_mix,
        max(case when mix_name = 'hour_band' then mix end) as hour_band_mix
    from written
    group by claimed_month, partner_id

),

months as (

    select
        counted.claimed_month as period_start,
        {{ partner_id_hash('counted.partner_id') }} as partner_id_hash,
        counted.claims,
        {%- for mix in mixes %}
            mixes.{{ mix }}_mix,
        {%- endfor %}
        {{ ratio('counted.confirmed_fraud', 'counted.claims') }} as fraud_rate,
        {{ ratio('counted.verified_claims', 'counted.claims') }} as verification_rate,
        counted.subjects,
        counted.updated_at
    from counted
    inner join mixes on {{ same('counted', 'mixes', ['claimed_month', 'partner_id']) }}

),

known as (

    select
        period_start,
        partner_id_hash,
        claims,
        fraud_rate,
        verification_rate
    from months
    {%- if is_incremental() %}
        union all
        select
            period_start,
            partner_id_hash,
            claims,
            fraud_rate,
            verification_rate
        from {{ this }}
        where not ({{ is_out_of_date() }})
    {%- endif %}

),

profiles as (

    select
        months.period_start,
        months.partner_id_hash,
        months.claims,
        months.claims - known.claims as claims_change,
        100 * {{ ratio('(months.claims - known.claims)', 'known.claims') }}
            as claims_change_percent,
        months.claim_type_mix,
        months.amount_bucket_mix,
        months.hour_band_mix,
        months.fraud_rate,
        months.fraud_rate - known.fraud_rate as fraud_rate_change,
        months.verification_rate,
        months.verification_rate - known.verification_rate as verification_rate_change,
        months.subjects,
        months.updated_at
    from months
    left join known
        on
            months.partner_id_hash = known.partner_id_hash
            and {{ date_distance('known.period_start', 'months.period_start', 'month') }} = 1

)

select * from profiles
