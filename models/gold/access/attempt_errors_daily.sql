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
        action,
        error_code,
        field,
        count(*) as attempts,
        count(distinct subject_key) as people,
        count(case when status = 'blocked' then 1 end) as blocked,
        count(case when status = 'success' and action = 'signup' then 1 end) as registered,
        count(case when error_code = 'email_taken' then 1 end) as email_already_used,
        max(labelled_at) as updated_at
    from attempts
    group by attempted_on, domain, action, error_code, field

),

compared as (

    select
        *,
        sum(attempts) over (partition by period_start, domain, action) as attempts_of_action
    from cells

),

errors as (

    select
        compared.period_start,
        compared.domain,
        coalesce(domains.domain_kind, 'unknown') as domain_kind,
        compared.action,
        compared.error_code,
        compared.field,
        compared.attempts,
        {{ ratio('compared.attempts', 'compared.attempts_of_action') }} as share,
        compared.blocked,
        compared.registered,
        compared.email_already_used,
        case when compared.people >= {{ var('k') }} then compared.people end as subjects,
        compared.updated_at
    from compared
    left join domains on compared.domain = domains.domain

)

select * from errors
