{{ config(
    materialized='incremental',
    incremental_strategy='renew',
    meta={'renews': {
        'days': 'submitted_on',
        'below': 'int_engagement__submissions',
        'day_below': utc_day('occurred_at'),
        'differ_by': 'batches',
    }}
) }}

-- Categories merge alike for both decisions, so that what is approved and what is rejected of one
-- can be set against each other.
with

submissions as (

    select * from {{ ref('int_engagement__submissions') }}
    where {{ is_renewed(utc_day('occurred_at')) }}

),

size_bands as (

    select * from {{ ref('amount_buckets') }}

),

sized as (

    select
        submissions.event_id,
        submissions.batch_id,
        {{ utc_day('submissions.occurred_at') }} as submitted_on,
        {{ utc_hour('submissions.occurred_at') }} as submitted_hour,
        submissions.step != 'created' as is_decision,
        submissions.step,
        submissions.category,
        submissions.file_type,
        size_bands.label as size_band,
        submissions.user_key,
        submissions.file_size_bytes
    from submissions
    inner join size_bands on {{ bucket('submissions.file_size_bytes', 'size_bands', 'file_size') }}

),

{{ published_blocks(
    relation='sized',
    subject='user_key',
    keys=['submitted_on', 'is_decision', 'step'],
    labels=['category', 'file_type', 'size_band'],
    hour='submitted_hour',
    joint=['category']
) }}

published as (

    select
        event_id,
        batch_id,
        submitted_on,
        published_submitted_hour as published_hour,
        step,
        published_category as category,
        published_file_type as file_type,
        published_size_band as size_band,
        is_published,
        user_key,
        file_size_bytes,
        {{ now_utc() }} as labelled_at
    from blocks

)

select * from published
