{{ config(
    materialized='incremental',
    incremental_strategy='renew',
    meta={'renews': {
        'days': 'period_start',
        'below': 'int_claims__published_claims',
        'day_below': 'claimed_month',
        'differ_by': 'labels',
    }}
) }}

{%- set keys = ['claimed_month', 'partner_id', 'claim_type'] %}
{%- set measures = ['fraud_rate', 'verification_rate', 'p50_ms'] %}
{%- set quartiles = [] %}
{%- for measure in measures %}
    {%- for name, fraction in {'p25': 0.25, 'p50': 0.5, 'p75': 0.75}.items() %}
        {%- do quartiles.append(
            {'name': measure ~ '_' ~ name, 'input': measure, 'fraction': fraction}
        ) %}
    {%- endfor %}
{%- endfor %}

with

claims as (

    select *
    from {{ ref('int_claims__published_claims') }}
    where
        is_published
        and partner_id != 'Other'
        and claim_type != 'Other'
        and {{ is_renewed('claimed_month') }}

),

partners as (

    select * from {{ ref('partners') }}

),

timed as (

    select
        *,
        {{ percentile('processing_time_ms', 0.5, keys) }} as p50
    from claims

),

counted as (

    select
        {{ keys | join(', ') }},
        {{ claim_measures(keys) }},
        {{ told_part('verified', 'is_verified', keys) }} as verified_claims,
        case
            when
                count(distinct case when processing_time_ms is not null then subject_key end)
                >= {{ var('k') }}
                then {{ whole_ms('any_value(p50)') }}
        end as p50_ms
    from timed
    group by {{ keys | join(', ') }}

),

rated as (

    select
        counted.*,
        coalesce(partners.industry, 'unknown') as industry,
        {{ ratio('counted.confirmed_fraud', 'counted.claims') }} as fraud_rate,
        {{ ratio('counted.verified_claims', 'counted.claims') }} as verification_rate
    from counted
    left join partners on counted.partner_id = partners.partner_id

),

-- Each partner beside all others of its industry that tell the figure, itself left out.
peers as (

    select
        rated.claimed_month,
        rated.partner_id,
        rated.claim_type,
        {%- for measure in measures %}
            rivals.{{ measure }} as {{ measure }}__value,
            case when rivals.{{ measure }} is not null then rivals.claims end
                as {{ measure }}_claims,
            row_number() over (
                partition by
                    rated.claimed_month,
                    rated.partner_id,
                    rated.claim_type,
                    rivals.{{ measure }} is null
                order by rivals.claims desc
            ) as {{ measure }}_place
            {%- if not loop.last %},{% endif %}
        {%- endfor %}
    from rated
    inner join rated as rivals
        on {{ same('rated', 'rivals', ['claimed_month', 'claim_type', 'industry']) }}
    where rated.partner_id != rivals.partner_id and rated.industry != 'unknown'

),

quartiles as (

    {{ percentiles_by('peers', keys, quartiles) }}

),

-- Two partners may put what they read together. What is told of the others is therefore still of
-- enough of them, and of none above all, where any one is left out as well.
compared as (

    select
        {{ keys | join(', ') }},
        {%- for measure in measures %}
            count({{ measure }}__value) - 1 as {{ measure }}_peers,
            2 * max({{ measure }}_claims)
            <= sum(case when {{ measure }}_place != 2 then {{ measure }}_claims end)
                as {{ measure }}_is_of_many
            {%- if not loop.last %},{% endif %}
        {%- endfor %}
    from peers
    group by {{ keys | join(', ') }}

),

benchmarks as (

    select
        rated.claimed_month as period_start,
        {{ partner_id_hash('rated.partner_id') }} as partner_id_hash,
        rated.claim_type,
        rated.industry,
        rated.claims,
        rated.fraud_rate,
        rated.verification_rate,
        rated.p50_ms,
        {%- for quartile in quartiles %}
            {%- set value = 'quartiles.' ~ quartile.name %}
            case
                when
                    compared.{{ quartile.input }}_is_of_many
                    and compared.{{ quartile.input }}_peers >= {{ var('benchmark_partners') }}
                    then {{ whole_ms(value) if quartile.input == 'p50_ms' else value }}
            end as industry_{{ quartile.name }},
        {%- endfor %}
        rated.subjects,
        rated.updated_at
    from rated
    left join compared on {{ same('rated', 'compared', keys) }}
    left join quartiles on {{ same('rated', 'quartiles', keys) }}

)

select * from benchmarks
