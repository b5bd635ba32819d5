{{ config(materialized='view') }}

with

events as (

    select * from {{ ref('stg_engagement__events') }}
    where event_type in ('wallet.credit', 'wallet.debit')

),

spelled as (

    select
        *,
        {{ regexp_replace_all('event_type', '^wallet[.]', '') }} as direction,
        {{ spelling('reason') }} as reason_word,
        {{ spelling('reward_type') }} as reward_type_word,
        {{ capitals('currency') }} as currency_code
    from events

),

numbered_rewards as (

    select
        user_key,
        reference_key,
        reward_type_word,
        batch_id,
        row_number() over (
            partition by user_key, reference_key
            order by occurred_at, event_id
        ) as number
    from spelled
    where
        direction = 'credit'
        and reason_word = 'reward'
        and user_key is not null
        and reference_key is not null

),

-- What else has the reference of a reward is about that reward.
rewards as (

    select * from numbered_rewards
    where number = 1

),

-- What names published cells and is no word is unknown.
wallet_entries as (

    select
        -- ids
        spelled.event_id,
        case
            when rewards.batch_id != spelled.batch_id
                then spelled.batch_id || '+' || rewards.batch_id
            else spelled.batch_id
        end as batch_id,
        spelled.line_number,
        spelled.user_key,
        spelled.reference_key,

        -- what changed, and why
        spelled.tenant_id,
        spelled.region,
        spelled.direction,
        coalesce(spelled.state, 'available') as state,
        case
            when
                spelled.direction = 'debit'
                and rewards.number = 1
                and coalesce(spelled.reason_word, '') != 'release'
                then 'reward_reversal'
            when {{ is_word('spelled.reason_word') }} then spelled.reason_word
            else 'unknown'
        end as reason,
        case
            when coalesce(spelled.reward_type_word, rewards.reward_type_word) is null then 'none'
            when {{ is_word('coalesce(spelled.reward_type_word, rewards.reward_type_word)') }}
                then coalesce(spelled.reward_type_word, rewards.reward_type_word)
            else 'unknown'
        end as reward_type,
        case
            when {{ regexp_like('spelled.currency_code', '^[A-Z]{3}$') }} then spelled.currency_code
            else 'unknown'
        end as currency,
        spelled.amount_minor,

        -- times
        spelled.occurred_at,
        spelled.ingested_at
    from spelled
    left join rewards on {{ same('spelled', 'rewards', ['user_key', 'reference_key']) }}

)

select * from wallet_entries
