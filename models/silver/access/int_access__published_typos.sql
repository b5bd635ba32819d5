{{ config(materialized='table') }}

-- The mail domain is a label that no other mart has. It is not crossed with theirs but said once,
-- by the week, and only of mistyped domains: no total is shown that the rest could be taken from.
with

attempts as (

    select
        event_id,
        {{ iso_week('attempted_on') }} as attempted_week,
        email_domain,
        subject_key,
        labelled_at
    from {{ ref('int_access__published_attempts') }}
    where is_published and status != 'test'

),

suggestions as (

    select * from {{ ref('int_access__mail_domain_suggestions') }}

),

typos as (

    select
        attempts.event_id,
        attempts.attempted_week,
        suggestions.typed_domain,
        suggestions.suggested_domain,
        suggestions.typo_kind,
        attempts.subject_key,
        attempts.labelled_at
    from attempts
    inner join suggestions on attempts.email_domain = suggestions.typed_domain

),

verdicts as (

    select
        attempted_week,
        typed_domain,
        {{ is_large_enough('subject_key', var('k')) }} as is_published
    from typos
    group by attempted_week, typed_domain

),

published as (

    select
        typos.*,
        verdicts.is_published
    from typos
    inner join verdicts on {{ same('typos', 'verdicts', ['attempted_week', 'typed_domain']) }}

)

select * from published
