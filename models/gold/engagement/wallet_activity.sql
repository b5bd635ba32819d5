{{ config(
    materialized='incremental',
    incremental_strategy='renew',
    meta={'renews': {
        'periods': utc_day('period_start'),
        'below': 'int_engagement__published_wallet_entries',
        'day_below': 'entered_on',
    }}
) }}

{%- set keys = ['period', 'period_start', 'direction', 'reason', 'reward_type', 'currency'] %}

with

wallet_entries as (

    select * from {{ ref('int_engagement__published_wallet_entries') }}

),

placed as (

    {{ in_periods('wallet_entries', day='entered_on', hour='published_hour') }}

),

periods as (

    select
        {{ keys | join(', ') }},
        {{ hour_of_week('period', 'period_start') }} as hour_of_week,
        count(*) as entries,
        {{ shown_people('user_key') }} as subjects,
        {{ shown_sum('amount_minor', "has_amounts and period != 'hour'") }} as amount_minor,
        count(case when is_reward then 1 end) as rewards_issued,
        count(case when reason = 'reward_reversal' then 1 end) as rewards_reversed,
        {{ shown_wallet_sums("period != 'hour'") }},
        max(labelled_at) as updated_at
    from placed
    group by {{ keys | join(', ') }}

)

select * from periods
