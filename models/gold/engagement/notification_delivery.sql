{{ config(
    materialized='incremental',
    incremental_strategy='renew',
    meta={'renews': {
        'periods': utc_day('period_start'),
        'below': 'int_engagement__published_messages',
        'day_below': 'sent_on',
    }}
) }}

{%- set keys = ['period', 'period_start', 'channel'] %}
{%- set statuses = ['delivered', 'failed', 'unheard'] %}

with

messages as (

    select * from {{ ref('int_engagement__published_messages') }}

),

placed as (

    {{ in_periods('messages', day='sent_on', hour='published_hour', withheld=true) }}

),

told as (

    select
        *,
        case when period = 'month' then month_status else status end as told_status
    from placed

),

-- A status is hidden on a day of which some are Other and none has it; in an hour, where none has.
counted as (

    select
        {{ keys | join(', ') }},
        count(*) as sent,
        {%- for status in statuses %}
            count(case when told_status = '{{ status }}' then 1 end) as {{ status }},
            case
                when count(case when told_status = '{{ status }}' then 1 end) > 0 then 0
                when period = 'hour' or count(case when told_status = 'Other' then 1 end) > 0 then 1
                else 0
            end as lacks_{{ status }},
        {%- endfor %}
        max(labelled_at) as labelled_at
    from told
    where is_published
    group by {{ keys | join(', ') }}, sent_on

),

added_up as (

    select
        {{ keys | join(', ') }},
        cast(sum(sent) as int64) as sent,
        {%- for status in statuses %}
            case when max(lacks_{{ status }}) = 0 then cast(sum({{ status }}) as int64) end
                as {{ status }},
        {%- endfor %}
        max(labelled_at) as updated_at
    from counted
    group by {{ keys | join(', ') }}

),

people as (

    select
        {{ keys | join(', ') }},
        {{ shown_people('user_key') }} as subjects
    from placed
    where is_published
    group by {{ keys | join(', ') }}

),

-- What is withheld, or of no channel that is told, may be of any; of an hour some always may be.
lacks as (

    select
        period,
        period_start,
        max(case when period = 'hour' or not is_published then 1 else 0 end) as withheld,
        max(case when channel = 'Other' then 1 else 0 end) as other
    from placed
    group by period, period_start

),

joined as (

    select
        added_up.*,
        people.subjects,
        lacks.withheld + lacks.other = 0 as is_share_told,
        lacks.withheld = 0 and (lacks.other = 0 or added_up.channel = 'Other') as is_rate_told,
        sum(added_up.sent) over (partition by added_up.period, added_up.period_start) as sent_in_all
    from added_up
    inner join people on {{ same('added_up', 'people', keys) }}
    inner join lacks on {{ same('added_up', 'lacks', ['period', 'period_start']) }}

),

periods as (

    select
        {{ keys | join(', ') }},
        {{ hour_of_week('period', 'period_start') }} as hour_of_week,
        sent,
        subjects,
        delivered,
        failed,
        unheard,
        case when is_rate_told then {{ ratio('delivered', 'sent') }} end as delivered_rate,
        case when is_rate_told then {{ ratio('failed', 'sent') }} end as failed_rate,
        case when is_share_told then {{ ratio('sent', 'sent_in_all') }} end as channel_share,
        updated_at
    from joined

)

select * from periods
