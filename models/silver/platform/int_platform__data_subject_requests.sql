{{ config(materialized='view') }}

-- A request is as it was last said to be.
with

told as (

    select
        *,
        row_number() over (
            partition by request_id
            order by updated_at desc, ingested_at desc, batch_id desc, line_number desc
        ) as place_from_end,
        min(updated_at) over (partition by request_id) as first_told_at
    from {{ source('bronze', 'data_subject_requests') }}

),

spelled as (

    select
        request_id,
        {{ spelling('kind') }} as kind,
        {{ spelling('status') }} as status,
        {{ spelling('regulation') }} as regulation,
        {{ utc_timestamp('first_told_at') }} as opened_at,
        {{ utc_timestamp('updated_at') }} as updated_at,
        {{ utc_timestamp('due_at') }} as due_at,
        {{ utc_timestamp('completed_at') }} as completed_at
    from told
    where place_from_end = 1

),

requests as (

    select
        request_id,
        opened_at,
        updated_at,
        due_at,
        completed_at,
        case when {{ is_word('kind') }} then kind else 'unknown' end as kind,
        case when {{ is_word('status') }} then status else 'unknown' end as status,
        case when {{ is_word('regulation') }} then regulation else 'unknown' end as regulation
    from spelled

)

select * from requests
