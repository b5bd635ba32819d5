{{ config(materialized='view') }}

{%- set paths = [
    '$.thresholds.decline', '$.thresholds.review', '$.score.scale', '$.score.offset',
    '$.modelVersion', '$.model_version', '$.ruleVersion', '$.rule_version',
] -%}
{%- set window = ['$.start', '$.end'] -%}
{%- set day = '[0-9]{4}-[0-9]{2}-[0-9]{2}' -%}
{%- set time = 'T[0-9:]{8}([.][0-9]{1,6})?(Z|[+-][0-9]{2}:[0-9]{2})' -%}
{%- set moment = '^' ~ day ~ '(' ~ time ~ ')?$' -%}

-- Bronze keeps all versions as they landed; the latest counts.
with

told as (

    select
        batch_id,
        line_number,
        status,
        ingested_at,
        {{ plain_version('scenario_id') }} as scenario_id,
        {{ valid_json('time_window') }} as time_window,
        {{ valid_json('overrides') }} as overrides,
        {{ utc_timestamp('time_window_start') }} as starts_at,
        {{ utc_timestamp('time_window_end') }} as ends_at,
        {{ utc_timestamp('coalesce(updated_at, completed_at, created_at, ingested_at)') }}
            as valid_from
    from {{ source('bronze', 'replay_scenarios') }}

),

numbered as (

    select
        *,
        row_number() over (
            partition by scenario_id
            order by valid_from desc, ingested_at desc, batch_id desc, line_number desc
        ) as place
    from told
    where scenario_id is not null

),

opened as (

    select
        *,
        {{ json_texts('time_window', window) }} as moments,
        {{ json_texts('overrides', paths) }} as texts
    from numbered
    where place = 1

),

read_out as (

    select
        *,
        {%- for end in ['start', 'end'] %}
            case
                when {{ regexp_like(list_item('moments', loop.index), moment) }}
                    then {{ utc_moment(list_item('moments', loop.index)) }}
            end as sent_{{ end }},
        {%- endfor %}
        {{ first_text('texts', paths, paths[:1]) }} as decline_text,
        {{ first_text('texts', paths, paths[1:2]) }} as review_text,
        {{ first_text('texts', paths, paths[2:3]) }} as scale_text,
        {{ first_text('texts', paths, paths[3:4]) }} as offset_text,
        {{ first_text('texts', paths, paths[4:6]) }} as model_text,
        {{ first_text('texts', paths, paths[6:8]) }} as rule_text
    from opened

),

scenarios as (

    select
        scenario_id,
        batch_id,
        status,
        decline_text,
        review_text,
        scale_text,
        offset_text,
        model_text,
        rule_text,
        overrides,
        valid_from,
        coalesce(starts_at, sent_start) as starts_at,
        coalesce(ends_at, sent_end) as ends_at
    from read_out

)

select * from scenarios
