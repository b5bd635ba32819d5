{{ config(
    materialized='incremental',
    incremental_strategy='renew',
    meta={'renews': {
        'days': 'attempted_on',
        'below': 'stg_access__attempts',
        'day_below': utc_day('attempted_at'),
        'differ_by': 'batches',
    }}
) }}

{#- Safe keys: whoever sends, a cell of these and a time says nothing about a person. -#}
{%- set safe_keys = ['attempted_on', 'domain', 'action', 'status', 'error_code', 'field'] -%}

-- Hour first: the alert reads hours, so the total of a visible hour stays exact, and countries
-- merge within it. A rest of the day that is too small is withheld: if it drew an hour into itself,
-- four stray attempts would hide the storm of that hour.
with

attempts as (

    select
        event_id,
        batch_id,
        {{ utc_day('attempted_at') }} as attempted_on,
        {{ utc_hour('attempted_at') }} as attempted_hour,
        domain,
        action,
        status,
        error_code,
        field,
        country,
        subject_key,
        fp_key,
        email_domain,
        duration_ns
    from {{ ref('stg_access__attempts') }}
    where {{ is_renewed(utc_day('attempted_at')) }}

),

hour_verdicts as (

    {{ k_merge(
        relation='attempts',
        dimension='attempted_hour',
        subject='subject_key',
        partition_by=safe_keys,
        safe_rows=var('safe_rows'),
        small_remainder='withhold'
    ) }}

),

-- A day's rest is one cell of its own, beside the hours that stand alone.
timed as (

    select
        attempts.*,
        hour_verdicts.verdict != 'withheld' as is_published,
        case
            when hour_verdicts.verdict = 'alone' then attempts.attempted_hour
        end as published_hour,
        case
            when hour_verdicts.verdict = 'alone' then cast(attempts.attempted_hour as string)
            else 'rest of day'
        end as time_cell
    from attempts
    inner join hour_verdicts
        on {{ same('attempts', 'hour_verdicts', safe_keys + ['attempted_hour']) }}

),

country_verdicts as (

    {{ k_merge(
        relation='timed',
        dimension='country',
        subject='subject_key',
        partition_by=safe_keys + ['time_cell']
    ) }}

),

-- A time cell that passes is never withheld for its countries: they all become Other, and the
-- cell is then one of safe keys only.
placed as (

    select
        timed.*,
        case
            when country_verdicts.verdict = 'alone' then timed.country
            else 'Other'
        end as published_country,
        sum(case when country_verdicts.verdict = 'alone' then 1 else 0 end) over (
            partition by timed.{{ safe_keys | join(', timed.') }}, timed.time_cell
        ) = 0 as is_safe_cell
    from timed
    inner join country_verdicts
        on {{ same('timed', 'country_verdicts', safe_keys + ['time_cell', 'country']) }}

),

published as (

    select
        event_id,
        batch_id,
        attempted_on,
        published_hour,
        domain,
        action,
        status,
        error_code,
        field,
        published_country as country,
        is_published,
        is_safe_cell,
        subject_key,
        fp_key,
        email_domain,
        duration_ns,
        {{ now_utc() }} as labelled_at
    from placed

)

select * from published
