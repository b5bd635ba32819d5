{{ config(materialized='view') }}

{%- set steps = ['intent', 'authorized', 'failed', 'captured', 'refunded'] %}
{%- set described = ['region', 'currency', 'method', 'provider_id', 'device'] %}
{%- set amounts = ['amount_minor', 'captured_minor', 'refunded_minor'] %}

-- An id is of one payment at its brand.
with

events as (

    select
        *,
        {{ regexp_replace_all('event_type', '^payment[.]', '') }} as step
    from {{ ref('int_gaming__events') }}
    where
        event_type in (
            {%- for step in steps %}
                'payment.{{ step }}'{{ ',' if not loop.last }}
            {%- endfor %}
        )

),

ordered as (

    select
        *,
        case step
            {%- for step in steps %}
                when '{{ step }}' then {{ loop.index }}
            {%- endfor %}
        end as step_number
    from events

),

-- Of events of one step the last counts; of steps at one time the later one is the last.
numbered as (

    select
        *,
        row_number() over (
            partition by brand, payment_key, step
            order by occurred_at desc, event_id desc
        ) as number_of_step,
        row_number() over (
            partition by brand, payment_key
            order by occurred_at desc, step_number desc, event_id desc
        ) as number_from_end,
        row_number() over (
            partition by brand, payment_key
            order by occurred_at, step_number, event_id
        ) as number
    from ordered

),

told as (

    select
        *,
        case when number_of_step = 1 then step end as told_step,
        {{ summable('amount_minor') }} as summable_minor
    from numbered

),

-- What the first step does not send comes from the next one that does.
gathered as (

    select
        brand,
        payment_key,
        string_agg(distinct batch_id, '+' order by batch_id) as batch_id,
        max(case when number = 1 then event_id end) as event_id,
        coalesce(max(case when number = 1 then user_key end), max(user_key)) as user_key,
        max(case when told_step = 'captured' then event_id end) as captured_event_id,
        {%- for column in described %}
            coalesce(
                {%- for step in steps %}
                    max(case when told_step = '{{ step }}' then {{ column }} end),
                {%- endfor %}
                'unknown'
            ) as {{ column }},
        {%- endfor %}
        max(case when number_from_end = 1 then step end) as status,
        coalesce(
            max(case when told_step = 'captured' then summable_minor end),
            max(case when told_step = 'authorized' then summable_minor end),
            max(case when told_step = 'intent' then summable_minor end),
            max(case when told_step = 'failed' then summable_minor end)
        ) as amount_minor,
        cast(sum(case when step = 'refunded' then summable_minor else 0 end) as int64)
            as refunded_in_part,
        count(case when step = 'refunded' and amount_minor is null then 1 end) as refunded_whole,
        {%- for step in steps %}
            max(case when step = '{{ step }}' then occurred_at end) as {{ step }}_at,
        {%- endfor %}
        min(occurred_at) as occurred_at
    from told
    group by brand, payment_key

),

judged as (

    select
        *,
        captured_at is not null and status != 'failed' as is_captured,
        {{ utc_day('occurred_at') }} as occurred_on
    from gathered

),

paid as (

    select
        *,
        case when is_captured then amount_minor else 0 end as captured_minor,
        case
            when is_captured and refunded_whole = 0 then refunded_in_part
            when is_captured then refunded_in_part + coalesce(refunded_whole * amount_minor, 0)
            else 0
        end as refunded_minor
    from judged

),

valued as (

    {{ valued('paid', amounts) }}

),

valued_payments as (

    select
        -- ids
        event_id,
        batch_id || coalesce('+' || rate_batch_id, '') as batch_id,
        captured_event_id,
        payment_key,
        user_key,

        -- how, where and with what became of it
        brand,
        region,
        currency,
        method,
        provider_id,
        device,
        status,
        is_captured,

        -- money
        {%- for amount in amounts %}
            {{ amount }},
        {%- endfor %}
        {%- for amount in amounts %}
            base_{{ amount }},
        {%- endfor %}
        minor_rate,

        -- times
        {%- for step in steps %}
            {{ step }}_at,
        {%- endfor %}
        occurred_at,
        occurred_on,
        fault
    from valued

)

select * from valued_payments
