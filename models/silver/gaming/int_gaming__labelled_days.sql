{{ config(materialized='view') }}

-- What gaming_time_series is told by: it is made of two facts.
with

labelled as (

    select
        played_on as told_on,
        labelled_at
    from {{ ref('int_gaming__published_play') }}
    union all
    select
        begun_on as told_on,
        labelled_at
    from {{ ref('int_gaming__published_payments') }}

),

days as (

    select
        told_on,
        max(labelled_at) as labelled_at
    from labelled
    group by told_on

)

select * from days
