{{ config(materialized='table') }}

-- All that bronze holds is counted in every run, so that one row too few is seen by the next.
with

landed as (

    {{ landed_rows() }}

),

accounted as (

    {{ rows_of_silver() }}

),

letters as (

    select
        table_name,
        batch_id,
        producer,
        ingest_date as landed_on,
        {{ utc_timestamp('ingested_at') }} as ingested_at,
        resolution is null as is_refused
    from {{ source('bronze', 'dead_letters') }}
    where table_name in {{ event_table_names() }}

),

places as (

    select
        table_name,
        batch_id,
        line_number,
        producer,
        landed_on,
        ingested_at,
        true as is_landed,
        cast(null as bool) as is_kept
    from landed
    union all
    select
        table_name,
        batch_id,
        line_number,
        cast(null as string) as producer,
        cast(null as date) as landed_on,
        cast(null as timestamp) as ingested_at,
        cast(null as bool) as is_landed,
        is_kept
    from accounted

),

-- A record that was unfolded into several rows has them all on one line.
lines as (

    select
        table_name,
        batch_id,
        line_number,
        max(producer) as producer,
        min(landed_on) as landed_on,
        max(ingested_at) as ingested_at,
        count(is_landed) as bronze,
        count(case when is_kept then 1 end) as silver,
        count(case when not is_kept then 1 end) as quarantined
    from places
    group by table_name, batch_id, line_number

),

counts as (

    select
        table_name,
        batch_id,
        producer,
        min(landed_on) as landed_on,
        max(ingested_at) as ingested_at,
        sum(bronze) as bronze,
        sum(silver) as silver,
        sum(quarantined) as quarantined,
        count(case when bronze != silver + quarantined then 1 end) as lines_astray,
        0 as letters
    from lines
    group by table_name, batch_id, producer
    union all
    select
        table_name,
        batch_id,
        producer,
        min(landed_on) as landed_on,
        max(ingested_at) as ingested_at,
        0 as bronze,
        0 as silver,
        0 as quarantined,
        0 as lines_astray,
        count(case when is_refused then 1 end) as letters
    from letters
    group by table_name, batch_id, producer

),

named as (

    select
        *,
        {{ plain_producer('producer') }} as plain_producer
    from counts

),

counted as (

    select
        table_name,
        batch_id,
        plain_producer as producer,
        cast(sum(bronze) as int64) as bronze,
        cast(sum(silver) as int64) as silver,
        cast(sum(quarantined) as int64) as quarantined,
        cast(sum(lines_astray) as int64) as lines_astray,
        cast(sum(letters) as int64) as letters,
        min(landed_on) as landed_on,
        max(ingested_at) as ingested_at
    from named
    group by table_name, batch_id, plain_producer

)

select * from counted
