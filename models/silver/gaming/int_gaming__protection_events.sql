{{ config(materialized='view') }}

with

protection_events as (

    select
        event_id,
        batch_id,
        line_number,
        user_key,
        brand,
        occurred_at,
        ingested_at,
        coalesce(region, 'unknown') as region,
        case event_type
            when 'rg.limit.hit' then 'limit_hit'
            else 'reality_check'
        end as event_name,
        case
            when event_type = 'rg.limit.hit' then coalesce(limit_kind, 'unknown')
            else 'none'
        end as limit_kind,
        case
            when event_type = 'rg.reality_check' then coalesce(action, 'unknown')
            else 'none'
        end as reaction
    from {{ ref('int_gaming__events') }}
    where event_type in ('rg.limit.hit', 'rg.reality_check')

)

select * from protection_events
