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
{%- set results = {
    'verified': "verification_result = 'verified'",
    'rejected': "verification_result = 'rejected'",
    'other_results': "verification_result not in ('verified', 'rejected')",
} %}

-- The only mart that tells what came of verifications, each in one row of it: so one result of too
-- few people hides those of its row, and no other mart can be taken off it.

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
        {%- for result, condition in results.items() %}
            count(case when {{ condition }} then 1 end) as {{ result }},
            count(distinct case when {{ condition }} then subject_key end) as {{ result }}_people,
        {%- endfor %}
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
        {%- for result in results %}
            case
                when
                    {%- for each in results %}
                        ({{ each }} = 0 or {{ each }}_people >= {{ var('k') }})
                        {%- if not loop.last %} and{% endif %}
                    {%- endfor %}
                    then {{ result }}
            end as {{ result }},
        {%- endfor %}
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
