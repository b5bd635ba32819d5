{{ config(
    materialized='incremental',
    incremental_strategy='renew',
    meta={'renews': {
        'days': 'period_start',
        'below': 'int_access__published_attempts',
        'day_below': 'attempted_on',
        'differ_by': 'labels',
    }}
) }}

with

attempts as (

    select * from {{ ref('int_access__published_attempts') }}
    where
        is_published
        and status != 'test'
        and {{ is_renewed('attempted_on') }}

),

domains as (

    select * from {{ ref('domains') }}

),

cells as (

    select
        attempted_on as period_start,
        domain,
        count(*) as attempts,
        count(distinct subject_key) as people,
        count(distinct fp_key) as visitors,
        count(distinct case when action = 'validate' then subject_key end) as validations,
        count(distinct case when action = 'signup' then subject_key end) as submitted,
        count(
            distinct case when action = 'signup' and status = 'success' then subject_key end
        ) as registered,
        max(labelled_at) as updated_at
    from attempts
    group by attempted_on, domain

),

-- A day and a domain are safe keys, so the row may stand for few people; its steps may not.
steps as (

    select
        period_start,
        domain,
        attempts,
        case when visitors >= {{ var('k') }} then visitors end as visitors,
        case when validations >= {{ var('k') }} then validations end as validations,
        case when submitted >= {{ var('k') }} then submitted end as submitted,
        case when registered >= {{ var('k') }} then registered end as registered,
        case when people >= {{ var('k') }} then people end as subjects,
        updated_at
    from cells

),

funnel as (

    select
        steps.period_start,
        steps.domain,
        coalesce(domains.domain_kind, 'unknown') as domain_kind,
        steps.attempts,
        steps.visitors,
        steps.validations,
        steps.submitted,
        steps.registered,
        {{ ratio('steps.validations', 'steps.visitors') }} as validation_rate,
        {{ ratio('steps.submitted', 'steps.validations') }} as submission_rate,
        {{ ratio('steps.registered', 'steps.submitted') }} as registration_rate,
        {{ ratio('steps.submitted', 'steps.visitors') }} as visitor_submission_rate,
        {{ ratio('steps.registered', 'steps.visitors') }} as visitor_registration_rate,
        steps.subjects,
        steps.updated_at
    from steps
    left join domains on steps.domain = domains.domain

)

select * from funnel
