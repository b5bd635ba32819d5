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
{%- set weekly = ['entries', 'rewards_issued', 'reward_volume_minor', 'pending_change_minor', 'available_change_minor'] %}
{%- set running = ['pending', 'available'] %}

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

counted as (

    select
        entered_week,
        {{ cell | join(', ') }},
        count(*) as entries,
        {{ shown_people('user_key') }} as subjects,
        count(case when is_reward then 1 end) as rewards_issued,
        {{ shown_wallet_sums() }},
        {%- for state in running %}
        sum(case when has_amounts and state = '{{ state }}' then change_minor else 0 end) as {{ state }}_shown,
        {%- endfor %}
        count(case when not has_amounts then 1 end) as hidden_entries
    from wallet_entries
    group by entered_week, {{ cell | join(', ') }}

),

cells as (

    select
        {{ cell | join(', ') }},
        min(entered_week) as first_week
    from counted
    group by {{ cell | join(', ') }}

),

-- In a week without entries nothing changes.
every_week as (

    select
        weeks.entered_week as period_start,
        cells.reward_type,
        cells.currency,
        weeks.is_complete,
        weeks.updated_at,
        counted.subjects,
        {%- for name in weekly %}
        case when counted.entered_week is null then 0 else counted.{{ name }} end as {{ name }},
        {%- endfor %}
        {%- for state in running %}
        coalesce(counted.{{ state }}_shown, 0) as {{ state }}_shown,
        {%- endfor %}
        coalesce(counted.hidden_entries, 0) as hidden_entries
    from cells
    inner join weeks on cells.first_week <= weeks.entered_week
    left join counted
        on
            weeks.entered_week = counted.entered_week
            and {{ same('cells', 'counted', cell) }}

),

-- A balance is of the amounts that are shown; how many entries it lacks stands beside it.
balances as (

    select
        *,
        {%- for state in running %}
        sum({{ state }}_shown) over so_far as {{ state }}_balance_minor,
        {%- endfor %}
        sum(hidden_entries) over so_far as entries_without_amount,
        lag(period_start) over in_order as previous_week,
        lag(rewards_issued) over in_order as previous_rewards_issued,
        lag(reward_volume_minor) over in_order as previous_reward_volume_minor
    from every_week
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
        is_complete and {{ dbt.datediff('previous_week', 'period_start', 'day') }} = 7 as is_compared
    from balances

),

trends as (

    select
        period_start,
        {{ cell | join(', ') }},
        entries,
        subjects,
        rewards_issued,
        {%- for name in ['rewards_issued', 'reward_volume_minor'] %}
        {%- set change = name ~ ' - previous_' ~ name %}
        {%- if not loop.first %}
        {{ name }},
        {%- endif %}
        case when is_compared then {{ change }} end as {{ name | replace('_minor', '') }}_change{{ '_minor' if not loop.first }},
        case
            when is_compared then {{ ratio('100 * (' ~ change ~ ')', 'previous_' ~ name) }}
        end as {{ name | replace('_minor', '') }}_change_percent,
        {%- endfor %}
        pending_change_minor,
        available_change_minor,
        cast(pending_balance_minor as int64) as pending_balance_minor,
        cast(available_balance_minor as int64) as available_balance_minor,
        cast(entries_without_amount as int64) as entries_without_amount,
        is_complete,
        updated_at
    from compared
    where {{ is_since('period_start') }}

)

select * from trends
