-- Which challenges draw people, and in which do they come to the end? (S0-12)
{{ config(enabled=is_built('engagement')) }}
with

performance as (

    select * from {{ ref('challenge_performance') }}
    where period = 'month' and challenge != 'Other'

),

months as (

    select
        period_start,
        challenge,
        coalesce(sum(case when step = 'viewed' then events end), 0) as views,
        coalesce(sum(case when step = 'submitted' then events end), 0) as submissions,
        max(case when step = 'joined' then subjects end) as participants,
        max(completion_rate) as completion_rate,
        coalesce(sum(case when step = 'won' then events end), 0) as wins
    from performance
    group by period_start, challenge

),

ranked as (

    select
        period_start,
        challenge,
        participants,
        completion_rate,
        cast(views as int64) as views,
        cast(submissions as int64) as submissions,
        cast(wins as int64) as wins,
        rank() over (partition by period_start order by coalesce(participants, 0) desc) as place
    from months

)

select * from ranked
order by period_start desc, place asc, challenge asc
