{{ config(materialized='view') }}

{%- set cohort = ['cohort_kind', 'cohort_date', 'currency'] %}
{%- set last = 90 %}

with

cohorts as (

    select * from {{ ref('int_gaming__cohorts') }}

),

deposits as (

    select * from {{ ref('int_gaming__deposits') }}

),

brands as (

    select * from {{ ref('brands') }}

),

cohort_days as (

    select * from {{ ref('int_gaming__cohort_days') }}

),

known as (

    select max(occurred_at) as last_at from deposits

),

zoned as (

    select
        cohorts.*,
        coalesce(brands.time_zone, 'UTC') as time_zone
    from cohorts
    left join brands on cohorts.brand = brands.brand

),

-- A person is another one at each brand.
players as (

    select
        zoned.brand || {{ unit_separator() }} || zoned.user_key as player,
        zoned.cohort_kind,
        zoned.cohort_date,
        zoned.time_zone,
        {{ local_day('known.last_at', 'zoned.time_zone') }} as today
    from zoned
    inner join cohort_days on zoned.cohort_date = cohort_days.cohort_date
    cross join known

),

zones as (

    select
        cohort_kind,
        cohort_date,
        case
            when min(time_zone) = max(time_zone) then min(time_zone)
            else 'of each brand'
        end as time_zone
    from players
    group by cohort_kind, cohort_date

),

paid as (

    select
        deposits.brand || {{ unit_separator() }} || deposits.user_key as player,
        deposits.currency,
        deposits.net_minor,
        {{ local_day('deposits.occurred_at', "coalesce(brands.time_zone, 'UTC')") }} as paid_on
    from deposits
    left join brands on deposits.brand = brands.brand
    where deposits.user_key is not null

),

-- Who is in a cohort is in it in each of its currencies.
movements as (

    select
        players.cohort_kind,
        players.cohort_date,
        paid.currency,
        paid.player,
        paid.net_minor,
        paid.paid_on,
        {{ date_distance('players.cohort_date', 'paid.paid_on', 'day') }} as days_since
    from players
    inner join paid on players.player = paid.player
    where paid.paid_on >= players.cohort_date

),

currencies as (

    select distinct {{ cohort | join(', ') }} from movements

),

members as (

    select
        players.*,
        currencies.currency
    from players
    inner join currencies on {{ same('players', 'currencies', ['cohort_kind', 'cohort_date']) }}

),

valued as (

    {{ lifetime_value(
        cohorts='members',
        amounts='movements',
        subject='player',
        joined_on='cohort_date',
        paid_on='paid_on',
        amount='net_minor',
        last_day='today - 1',
        days=range(last + 1),
        keys=['cohort_kind', 'currency']
    ) }}

),

-- From one told day to the next a cohort paid what a span of days paid. All spans of a length must
-- be of nobody or of enough people, none of whom moved more than half; the shortest such length is
-- told.
lengths as (

    select 1 as span_days
    union all
    select 7 as span_days
    union all
    select 30 as span_days
    union all
    select {{ last + 1 }} as span_days

),

span_people as (

    select
        movements.cohort_kind,
        movements.cohort_date,
        movements.currency,
        movements.player,
        lengths.span_days,
        cast(floor(movements.days_since / lengths.span_days) as int64) as number,
        sum(abs(movements.net_minor)) as weight
    from movements
    cross join lengths
    where movements.days_since <= {{ last }}
    group by
        movements.cohort_kind,
        movements.cohort_date,
        movements.currency,
        movements.player,
        lengths.span_days,
        cast(floor(movements.days_since / lengths.span_days) as int64)

),

spans as (

    select
        cohort_kind,
        cohort_date,
        currency,
        span_days,
        (number + 1) * span_days - 1 as last_day,
        count(*) >= {{ var('k') }} and 2 * max(weight) <= sum(weight) as passes
    from span_people
    group by cohort_kind, cohort_date, currency, span_days, number

),

-- Days on which a span ends that has passed for all.
span_ends as (

    select
        valued.cohort_kind,
        valued.cohort_date,
        valued.currency,
        valued.day as last_day,
        lengths.span_days
    from valued
    inner join lengths on mod(valued.day + 1, lengths.span_days) = 0
    where valued.is_mature

),

passing_lengths as (

    select
        span_ends.cohort_kind,
        span_ends.cohort_date,
        span_ends.currency,
        span_ends.span_days
    from span_ends
    left join spans
        on {{ same('span_ends', 'spans', cohort + ['span_days', 'last_day']) }}
    group by span_ends.cohort_kind, span_ends.cohort_date, span_ends.currency, span_ends.span_days
    having count(case when not coalesce(spans.passes, true) then 1 end) = 0

),

told_lengths as (

    select
        cohort_kind,
        cohort_date,
        currency,
        min(span_days) as span_days
    from passing_lengths
    group by cohort_kind, cohort_date, currency

),

marked as (

    select
        valued.*,
        zones.time_zone,
        mod(valued.day + 1, told_lengths.span_days) = 0 as is_told
    from valued
    inner join told_lengths on {{ same('valued', 'told_lengths', cohort) }}
    inner join zones on {{ same('valued', 'zones', ['cohort_kind', 'cohort_date']) }}
    where valued.size >= {{ var('k') }}

),

told as (

    select
        {{ cohort | join(', ') }},
        day,
        time_zone,
        size,
        size as subjects,
        case when is_told then amount end as net_deposits_minor,
        case when is_told then amount_per_member end as ltv_minor,
        is_mature
    from marked

)

select * from told
