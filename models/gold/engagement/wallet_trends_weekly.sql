{{ config(
    materialized='incremental',
    incremental_strategy='renew',
    meta={'renews': {
        'since': 'int_engagement__published_wallet_entries',
        'where': 'is_published',
        'day': 'period_start',
        'day_below': 'entered_week',
        'told_by': [
            'max(labelled_at)',
            'case when entered_week < max(max(entered_week)) over () then 1 else 0 end',
        ],
        'told_here': ['max(updated_at)', 'min(case when is_complete then 1 else 0 end)'],
    }}
) }}

{%- set cell = ['reward_type', 'currency'] %}

with

wallet_entries as (

    select * from {{ ref('int_engagement__published_wallet_entries') }}
    where is_published

),

weeks as (

    select
        entered_week,
        entered_week < max(max(entered_week)) over () as is_complete,
        max(labelled_at) as updated_at
    from wallet_entries
    group by entered_week

),

shown as (

    select
        *,
        case
            when has_amounts and state = 'pending' then change_minor
            else 0
        end as pending_shown,
        case
            when has_amounts and state = 'available' then change_minor
            else 0
        end as available_shown
    from wallet_entries

),

counted as (

    select
        entered_week,
        {{ cell | join(', ') }},
        count(*) as entries,
        {{ shown_people('user_key') }} as subjects,
        count(case when is_reward then 1 end) as rewards_issued,
        {{ shown_wallet_sums() }},
        sum(pending_shown) as pending_shown,
        sum(available_shown) as available_shown,
        count(case when not has_amounts then 1 end) as hidden_entries
    from shown
    group by entered_week, {{ cell | join(', ') }}

),

cells as (

    select
        {{ cell | join(', ') }},
        min(entered_week) as first_week
    from counted
    group by {{ cell | join(', ') }}

),

every_week as (

    select
        weeks.entered_week as period_start,
        cells.reward_type,
        cells.currency,
        weeks.is_complete,
        weeks.updated_at,
        counted.entries,
        counted.subjects,
        counted.rewards_issued,
        counted.reward_volume_minor,
        counted.pending_change_minor,
        counted.available_change_minor,
        counted.pending_shown,
        counted.available_shown,
        counted.hidden_entries,
        counted.entered_week is null as is_empty
    from cells
    inner join weeks on cells.first_week <= weeks.entered_week
    left join counted
        on
            weeks.entered_week = counted.entered_week
            and {{ same('cells', 'counted', cell) }}

),

-- In a week without entries nothing changes, which is another thing than what is not shown.
filled as (

    select
        period_start,
        {{ cell | join(', ') }},
        is_complete,
        updated_at,
        subjects,
        case when is_empty then 0 else entries end as entries,
        case when is_empty then 0 else rewards_issued end as rewards_issued,
        case when is_empty then 0 else reward_volume_minor end as reward_volume_minor,
        case when is_empty then 0 else pending_change_minor end as pending_change_minor,
        case when is_empty then 0 else available_change_minor end as available_change_minor,
        case when is_empty then 0 else pending_shown end as pending_shown,
        case when is_empty then 0 else available_shown end as available_shown,
        case when is_empty then 0 else hidden_entries end as hidden_entries
    from every_week

),

-- A balance is of the amounts that are shown; how many entries it lacks stands beside it.
balances as (

    select
        *,
        cast(sum(pending_shown) over so_far as int64) as pending_balance_minor,
        cast(sum(available_shown) over so_far as int64) as available_balance_minor,
        cast(sum(hidden_entries) over so_far as int64) as entries_without_amount,
        lag(period_start) over in_order as previous_week,
        lag(rewards_issued) over in_order as previous_issued,
        lag(reward_volume_minor) over in_order as previous_volume
    from filled
    window
        in_order as (partition by {{ cell | join(', ') }} order by period_start),
        so_far as (
            partition by {{ cell | join(', ') }}
            order by period_start rows between unbounded preceding and current row
        )

),

compared as (

    select
        *,
        case when is_compared then rewards_issued - previous_issued end as issued_change,
        case when is_compared then reward_volume_minor - previous_volume end as volume_change
    from (
        select
            *,
            is_complete
            and {{ date_distance('previous_week', 'period_start', 'day') }} = 7 as is_compared
        from balances
    ) as judged

),

trends as (

    select
        period_start,
        {{ cell | join(', ') }},
        entries,
        subjects,
        rewards_issued,
        issued_change as rewards_issued_change,
        {{ ratio('100 * issued_change', 'previous_issued') }} as rewards_issued_change_percent,
        reward_volume_minor,
        volume_change as reward_volume_change_minor,
        {{ ratio('100 * volume_change', 'previous_volume') }} as reward_volume_change_percent,
        pending_change_minor,
        available_change_minor,
        pending_balance_minor,
        available_balance_minor,
        entries_without_amount,
        is_complete,
        updated_at
    from compared
    where {{ is_since('period_start') }}

)

select * from trends
