-- Which mail domains do people mistype, such as gmul.com for gmail.com, and how often? (S3-21)
{{ config(enabled=is_built('access')) }}
with

typos as (

    select * from {{ ref('email_domain_typos_weekly') }}

),

domains as (

    select
        typed_domain,
        suggested_domain,
        typo_kind,
        cast(sum(attempts) as int64) as attempts,
        count(*) as weeks_shown,
        max(subjects) as people_in_its_busiest_week
    from typos
    group by typed_domain, suggested_domain, typo_kind

)

select * from domains
order by attempts desc, typed_domain asc
