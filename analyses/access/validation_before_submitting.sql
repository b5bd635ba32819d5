-- How many people have a field validated before they send the form, and send it then? (S3-31)
{{ config(enabled=is_built('access')) }}
with

funnel as (

    select * from {{ ref('registration_funnel_daily') }}

),

steps as (

    select
        period_start,
        domain,
        domain_kind,
        visitors,
        validations,
        validation_rate,
        submitted,
        submission_rate,
        registered,
        registration_rate
    from funnel

)

select * from steps
order by period_start, domain
