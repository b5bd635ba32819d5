{{ config(
    materialized='incremental',
    incremental_strategy='renew',
    meta={'renews': {
        'since': 'int_engagement__published_challenge_steps',
        'where': 'is_published',
        'day': 'period_start',
        'day_below': 'stepped_week',
        'told_by': [
            'max(labelled_at)',
            'case when stepped_week < max(max(stepped_week)) over () then 1 else 0 end',
        ],
        'told_here': ['max(updated_at)', 'min(case when is_complete then 1 else 0 end)'],
    }}
) }}

with

challenge_steps as (

    select
        *,
        challenge != 'Other' as is_told
    from {{ ref('int_engagement__published_challenge_steps') }}

),

weeks as (

    select
        stepped_week,
        stepped_week < max(max(stepped_week)) over () as is_complete,
        max(labelled_at) as updated_at
    from challenge_steps
    where is_published
    group by stepped_week

),

-- By the challenge that was sent, so that what is not told is known to be lacking.
counted as (

    select
        stepped_week,
        sent_challenge,
        count(case when is_told then 1 end) as events,
        {{ shown_people('user_key', 'is_told') }} as subjects,
        count(case when step = 'viewed' then 1 end) as views,
        count(distinct case when step = 'joined' then user_key end) as participants,
        count(case when step = 'submitted' then 1 end) as submissions,
        {{ people_who_completed('user_key', 'step', 'week_outcome') }} as completed,
        count(case when step = 'viewed' and not is_told then 1 end) as views_not_told,
        count(case when step = 'joined' and not is_told then 1 end) as joins_not_told,
        count(case when step = 'submitted' and not is_told then 1 end) as submissions_not_told
    from challenge_steps
    group by stepped_week, sent_challenge

),

challenges as (

    select
        sent_challenge,
        min(stepped_week) as first_week
    from counted
    where events > 0
    group by sent_challenge

),

-- In a week that has no row of a challenge nothing happened in it.
every_week as (

    select
        weeks.stepped_week as period_start,
        challenges.sent_challenge as challenge,
        weeks.is_complete,
        weeks.updated_at,
        counted.subjects,
        counted.completed,
        coalesce(counted.events, 0) as events,
        coalesce(counted.views, 0) as views,
        coalesce(counted.participants, 0) as participants,
        coalesce(counted.submissions, 0) as submissions,
        coalesce(counted.views_not_told, 0) = 0 as tells_views,
        coalesce(counted.joins_not_told, 0) = 0 as tells_joins,
        coalesce(counted.submissions_not_told, 0) = 0 as tells_submissions
    from challenges
    inner join weeks on challenges.first_week <= weeks.stepped_week
    left join counted
        on
            challenges.sent_challenge = counted.sent_challenge
            and weeks.stepped_week = counted.stepped_week

),

told as (

    select
        period_start,
        challenge,
        is_complete,
        updated_at,
        events,
        subjects,
        case when tells_views then views end as views,
        case when tells_joins then {{ none_or_enough('participants') }} end as participants,
        case when tells_submissions then submissions end as submissions,
        case when tells_joins then completed end as completed
    from every_week

),

rated as (

    select
        *,
        {{ ratio('completed', 'participants') }} as completion_rate
    from told

),

followed as (

    select
        *,
        lag(period_start) over in_order as previous_week,
        lag(views) over in_order as previous_views,
        lag(participants) over in_order as previous_participants,
        lag(submissions) over in_order as previous_submissions,
        lag(completed) over in_order as previous_completed,
        lag(completion_rate) over in_order as previous_rate
    from rated
    window in_order as (partition by challenge order by period_start)

),

-- Of a week that is not over, and behind a gap, nothing is compared.
compared as (

    select
        *,
        case
            when
                is_complete
                and {{ date_distance('previous_week', 'period_start', 'day') }} = 7
                then 100
        end as per_cent
    from followed

),

performance as (

    select
        period_start,
        challenge,
        events,
        subjects,
        views,
        {{ ratio('per_cent * (views - previous_views)', 'previous_views') }}
            as views_change_percent,
        participants,
        {{ ratio('per_cent * (participants - previous_participants)', 'previous_participants') }}
            as participants_change_percent,
        submissions,
        {{ ratio('per_cent * (submissions - previous_submissions)', 'previous_submissions') }}
            as submissions_change_percent,
        completed,
        {{ ratio('per_cent * (completed - previous_completed)', 'previous_completed') }}
            as completed_change_percent,
        completion_rate,
        {{ ratio('per_cent * (completion_rate - previous_rate)', 'previous_rate') }}
            as completion_rate_change_percent,
        is_complete,
        updated_at
    from compared
    where {{ is_since('period_start') }}

)

select * from performance
