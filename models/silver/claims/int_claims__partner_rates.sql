{{ config(materialized='view') }}

{%- set days_before = date_distance('claims.claimed_on', 'starts.known_from', 'day') %}

-- As of the first moment of the day, week or month that a claim is told of: so it is known before
-- the claim, and says no more of its time than the period does.
with

published_claims as (

    select * from {{ ref('int_claims__published_claims') }}
    where is_published and partner_id != 'Other'

),

claims as (

    select
        claim_key,
        partner_id,
        subject_key,
        {{ utc_day('occurred_at') }} as claimed_on
    from {{ ref('int_claims__claims') }}

),

events as (

    select * from {{ ref('stg_claims__claim_events') }}
    where event_type != 'api_call' and is_fraud is not null

),

starts as (

    select
        partner_id,
        told_start as known_from
    from published_claims
    group by partner_id, told_start

),

-- What was known of a claim holds from the day after it was said to the day on which something else
-- is.
judgements as (

    select
        claim_key,
        is_fraud,
        {{ utc_day('occurred_at') }} as judged_on,
        lead({{ utc_day('occurred_at') }}) over (
            partition by claim_key
            order by occurred_at, event_id
        ) as judged_again_on
    from events

),

known as (

    select
        starts.partner_id,
        starts.known_from,
        claims.claim_key,
        claims.subject_key,
        judgements.is_fraud,
        {{ days_before }} as days_before
    from starts
    inner join claims
        on
            starts.partner_id = claims.partner_id
            and {{ days_before }} between 1 and 30
    left join judgements
        on
            claims.claim_key = judgements.claim_key
            and starts.known_from > judgements.judged_on
            and starts.known_from <= coalesce(judgements.judged_again_on, starts.known_from)

),

rates as (

    select
        partner_id,
        known_from,
        count(case when days_before <= 7 then 1 end) as claims_7d,
        count(case when days_before <= 7 and is_fraud then 1 end) as frauds_7d,
        count(distinct case when days_before <= 7 then subject_key end) as subjects_7d,
        count(*) as claims_30d,
        count(case when is_fraud then 1 end) as frauds_30d,
        count(distinct subject_key) as subjects_30d
    from known
    group by partner_id, known_from

)

select * from rates
