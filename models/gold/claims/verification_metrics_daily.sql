{{ config(
    materialized='incremental',
    incremental_strategy='renew',
    meta={'renews': {
        'days': 'period_start',
        'below': 'int_claims__published_api_calls',
        'day_below': 'called_on',
        'differ_by': 'labels',
    }}
) }}

{%- set keys = ['called_on', 'partner_id', 'api_endpoint'] %}

with

api_calls as (

    select *
    from {{ ref('int_claims__published_api_calls') }}
    where
        is_published
        and {{ is_renewed('called_on') }}

),

timed as (

    select
        *,
        {{ percentile('response_ms', 0.5, keys) }} as p50,
        {{ percentile('response_ms', 0.95, keys) }} as p95
    from api_calls

),

counted as (

    select
        {{ keys | join(', ') }},
        count(*) as events,
        count(case when is_call then 1 end) as api_calls,
        count(case when is_call and http_status is not null then 1 end) as answered_calls,
        count(case when is_success then 1 end) as successful_calls,
        count(verification_result) as verifications,
        count(case when verification_result = 'verified' then 1 end) as verified,
        count(case when verification_result = 'rejected' then 1 end) as rejected,
        count(response_ms) as timed_rows,
        count(distinct case when response_ms is not null then subject_key end) as timed_people,
        any_value(p50) as p50,
        any_value(p95) as p95,
        {{ shown_people('subject_key') }} as subjects,
        max(labelled_at) as updated_at
    from timed
    group by {{ keys | join(', ') }}

),

days as (

    select
        called_on as period_start,
        {{ partner_id_hash('partner_id') }} as partner_id_hash,
        api_endpoint,
        events,
        api_calls,
        {{ ratio('successful_calls', 'answered_calls') }} as success_rate,
        verifications,
        verified,
        rejected,
        verifications - verified - rejected as other_results,
        case when timed_people >= {{ var('k') }} then {{ whole_ms('p50') }} end as p50_ms,
        case
            when timed_people >= {{ var('tail_subjects') }} or timed_rows >= {{ var('safe_rows') }}
                then {{ whole_ms('p95') }}
        end as p95_ms,
        subjects,
        updated_at
    from counted

)

select * from days
