{{ config(materialized='table') }}

-- Apart from history: who reads this finds no decision of silver or of another mart again.
with

changed as (

    select * from {{ ref('int_fraud__published_replays') }}
    where
        is_published
        and stands_for_transaction
        and decision != replay_decision
        and change_level >= 2

),

changes as (

    select
        scenario_id,
        {{ pseudonymize('transaction_key', 'restricted.replay_decision_changes') }}
            as transaction_hash,
        decision as original_decision,
        replay_decision,
        case when change_level >= 3 then score_change else 'Other' end as score_change,
        {{ now_utc() }} as updated_at
    from changed

)

select * from changes
