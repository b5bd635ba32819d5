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

-- Batches of which silver and the duplicates together have other lines than bronze: more, fewer, or
-- others by the sum of their numbers.
doubtful as (

    select
        table_name,
        batch_id
    from (
        select
            table_name,
            batch_id,
            count(*) as row_total,
            sum(line_number) as line_total
        from landed
        group by table_name, batch_id
        union all
        select
            table_name,
            batch_id,
            -count(*) as row_total,
            -sum(line_number) as line_total
        from accounted
        group by table_name, batch_id
    ) as totals
    group by table_name, batch_id
    having sum(row_total) != 0 or sum(line_total) != 0

),

-- Every other line is once in bronze and once in silver.
questioned as (

    select
        table_name,
        batch_id,
        line_number
    from accounted
    where not is_kept
    union distinct
    select
        landed.table_name,
        landed.batch_id,
        landed.line_number
    from landed
    inner join doubtful on {{ same('landed', 'doubtful', ['table_name', 'batch_id']) }}
    union distinct
    select
        accounted.table_name,
        accounted.batch_id,
        accounted.line_number
    from accounted
    inner join doubtful on {{ same('accounted', 'doubtful', ['table_name', 'batch_id']) }}

),

places as (

    select
        landed.table_name,
        landed.batch_id,
        landed.line_number,
        landed.producer,
        true as is_landed,
        cast(null as bool) as is_kept
    from landed
    inner join questioned
        on {{ same('landed', 'questioned', ['table_name', 'batch_id', 'line_number']) }}
    union all
    select
        accounted.table_name,
        accounted.batch_id,
        accounted.line_number,
        cast(null as string) as producer,
        cast(null as bool) as is_landed,
        accounted.is_kept
    from accounted
    inner join questioned
        on {{ same('accounted', 'questioned', ['table_name', 'batch_id', 'line_number']) }}

),

-- A record that was unfolded into several rows has them all on one line.
lines as (

    select
        table_name,
        batch_id,
        line_number,
        max(producer) as producer,
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
        count(*) as bronze,
        count(*) as silver,
        0 as quarantined,
        0 as lines_astray,
        0 as letters,
        min(landed_on) as landed_on,
        max(ingested_at) as ingested_at
    from landed
    group by table_name, batch_id, producer
    union all
    select
        table_name,
        batch_id,
        producer,
        0 as bronze,
        sum(silver - bronze) as silver,
        sum(quarantined) as quarantined,
        count(case when bronze != silver + quarantined then 1 end) as lines_astray,
        0 as letters,
        cast(null as date) as landed_on,
        cast(null as timestamp) as ingested_at
    from lines
    group by table_name, batch_id, producer
    union all
    select
        table_name,
        batch_id,
        producer,
        0 as bronze,
        0 as silver,
        0 as quarantined,
        0 as lines_astray,
        count(case when is_refused then 1 end) as letters,
        min(landed_on) as landed_on,
        max(ingested_at) as ingested_at
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
