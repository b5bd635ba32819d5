{{ config(materialized='table') }}

-- Each distinct domain is looked at once. A real one is left alone: one of the seeds, or one with
-- which k people registered, unless it is known to be a typo or its ending does not exist.
with

attempts as (

    select * from {{ ref('stg_access__attempts') }}
    where {{ regexp_like('email_domain', '^[a-z0-9.-]{4,253}$') }}

),

mail_domains as (

    select * from {{ ref('mail_domains') }}

),

disposable_domains as (

    select * from {{ ref('disposable_domains') }}

),

domain_endings as (

    select * from {{ ref('domain_endings') }}

),

known_typos as (

    select * from {{ ref('known_domain_typos') }}

),

typed as (

    select
        email_domain as typed_domain,
        count(
            distinct case when action = 'signup' and status = 'success' then subject_key end
        ) >= {{ var('k') }} as is_verified
    from attempts
    group by email_domain

),

-- What is typed, with the ending that was meant and without doubled dots.
tidied as (

    select
        typed.typed_domain,
        typed.is_verified,
        domain_endings.wrong_ending is not null as has_wrong_ending,
        trim({{ regexp_replace_all(
            "case when domain_endings.wrong_ending is null then typed.typed_domain else "
            ~ "substr(typed.typed_domain, 1, length(typed.typed_domain) "
            ~ "- length(domain_endings.wrong_ending)) || domain_endings.right_ending end",
            '[.]+', '.'
        ) }}, '.') as tidy_domain
    from typed
    left join domain_endings
        on ends_with(typed.typed_domain, '.' || domain_endings.wrong_ending)
    qualify
        row_number() over (
            partition by typed.typed_domain order by length(domain_endings.wrong_ending) desc
        ) = 1

),

judged as (

    select
        tidied.typed_domain,
        tidied.tidy_domain,
        tidied.has_wrong_ending,
        known_typos.meant_domain,
        mail_domains.domain is not null
        or disposable_domains.domain is not null
        or (
            tidied.is_verified
            and not tidied.has_wrong_ending
            and known_typos.meant_domain is null
        ) as is_real
    from tidied
    left join mail_domains on tidied.typed_domain = mail_domains.domain
    left join disposable_domains on tidied.typed_domain = disposable_domains.domain
    left join known_typos on tidied.tidy_domain = known_typos.typed_domain

),

real_domains as (

    select
        domain,
        popularity
    from mail_domains
    union all
    select
        judged.typed_domain as domain,
        1 as popularity
    from judged
    left join mail_domains on judged.typed_domain = mail_domains.domain
    left join disposable_domains on judged.typed_domain = disposable_domains.domain
    where
        judged.is_real
        and mail_domains.domain is null
        and disposable_domains.domain is null

),

named_domains as (

    select
        domain,
        popularity,
        {{ regexp_replace_all('domain', '[.].*$', '') }} as base
    from real_domains

),

-- A variant of a large provider that the seed does not list, such as another country's, is left
-- alone too.
large_bases as (

    select distinct base from named_domains
    where popularity >= 60

),

unknown_domains as (

    select
        judged.typed_domain,
        judged.tidy_domain,
        judged.has_wrong_ending,
        judged.meant_domain,
        {{ regexp_replace_all('judged.tidy_domain', '[.].*$', '') }} as base
    from judged
    where not judged.is_real

),

compared as (

    select
        unknown_domains.typed_domain,
        unknown_domains.tidy_domain,
        unknown_domains.base,
        named_domains.domain,
        named_domains.popularity,
        length(named_domains.base) as base_length,
        named_domains.base = unknown_domains.base as is_same_base,
        substr(named_domains.domain, 1, 1) = substr(unknown_domains.tidy_domain, 1, 1)
            as is_same_initial,
        unknown_domains.tidy_domain in (
            {{ swapped('named_domains.domain', 1) }},
            {{ swapped('named_domains.domain', 2) }},
            {{ swapped('named_domains.domain', 3) }}
        ) as is_swap,
        length(unknown_domains.tidy_domain) - length(named_domains.domain) as longer_by,
        {{ edit_distance('unknown_domains.tidy_domain', 'named_domains.domain') }} as distance
    from unknown_domains
    inner join named_domains
        on
            abs(length(unknown_domains.tidy_domain) - length(named_domains.domain)) <= 2
            and unknown_domains.meant_domain is null

),

-- Two changes only where much speaks for the domain. A short name is near to many others: there a
-- letter may be added or swapped, or lost where the name has four, but never replaced; and one of
-- two letters, such as me.com, is near to everything.
candidates as (

    select
        compared.typed_domain,
        compared.domain,
        compared.popularity,
        compared.distance
    from compared
    left join large_bases on compared.base = large_bases.base
    where
        compared.distance = 0
        or (
            not compared.is_same_base
            and large_bases.base is null
            and case
                when compared.base_length < 5
                    then
                        compared.distance = 1
                        and compared.base_length > 2
                        and (
                            compared.longer_by = 1
                            or compared.is_swap
                            or (compared.longer_by = -1 and compared.base_length = 4)
                        )
                when compared.distance = 2
                    then
                        compared.is_same_initial
                        and (
                            compared.popularity >= 60
                            or (compared.popularity >= 40 and compared.base_length >= 8)
                        )
                else compared.distance = 1
            end
        )

),

ranked as (

    select
        *,
        rank() over (
            partition by typed_domain order by distance asc, popularity desc
        ) as place
    from candidates

),

nearest as (

    select
        typed_domain,
        case when count(*) = 1 then min(domain) else 'ambiguous' end as domain
    from ranked
    where place = 1
    group by typed_domain

),

suggestions as (

    select
        unknown_domains.typed_domain,
        case
            when unknown_domains.meant_domain is not null then unknown_domains.meant_domain
            when unknown_domains.has_wrong_ending
                then coalesce(nullif(nearest.domain, 'ambiguous'), unknown_domains.tidy_domain)
            else nearest.domain
        end as suggested_domain,
        case
            when unknown_domains.has_wrong_ending then 'ending'
            when unknown_domains.meant_domain is not null then 'typo'
            when nearest.domain = 'ambiguous' then 'ambiguous'
            else 'typo'
        end as typo_kind
    from unknown_domains
    left join nearest on unknown_domains.typed_domain = nearest.typed_domain

)

select * from suggestions
where suggested_domain is not null
