{{ config(
    materialized='incremental',
    incremental_strategy='renew',
    meta={'renews': {'batches': 'int_platform__batches_to_count'}}
) }}

-- Built last of what is said of a batch, so that one is counted when all of that is there: after
-- {{ ref('int_platform__number_ranges') }} and {{ ref('int_platform__landings') }}.
with

batches as (

    select * from {{ ref('int_platform__batches_to_count') }}

),

bronze_rows as (

    {{ landed_rows(is_renewed('ingest_date')) }}

),

landed as (

    select bronze_rows.*
    from bronze_rows
    inner join batches on {{ same('bronze_rows', 'batches', ['table_name', 'batch_id']) }}

),

silver_rows as (

    {{ rows_of_silver() }}

),

accounted as (

    select
        silver_rows.table_name,
        silver_rows.batch_id,
        silver_rows.line_number,
        silver_rows.is_kept,
        batches.landed_on
    from silver_rows
    inner join batches on {{ same('silver_rows', 'batches', ['table_name', 'batch_id']) }}

),

letters as (

    select
        batches.table_name,
        batches.batch_id,
        batches.landed_on,
        dead_letters.producer,
        {{ utc_timestamp('dead_letters.ingested_at') }} as ingested_at,
        dead_letters.resolution is null as is_refused
    from {{ source('bronze', 'dead_letters') }} as dead_letters
    inner join batches on {{ same('dead_letters', 'batches', ['table_name', 'batch_id']) }}
    where {{ is_renewed('dead_letters.ingest_date') }}

),

places as (

    select
        table_name,
        batch_id,
        line_number,
        landed_on,
        producer,
        ingested_at,
        true as is_landed,
        cast(null as bool) as is_kept
    from landed
    union all
    select
        table_name,
        batch_id,
        line_number,
        landed_on,
        cast(null as string) as producer,
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
        landed_on,
        max(producer) as producer,
        max(ingested_at) as ingested_at,
        count(is_landed) as bronze,
        count(case when is_kept then 1 end) as silver,
        count(case when not is_kept then 1 end) as quarantined
    from places
    group by table_name, batch_id, line_number, landed_on

),

-- A batch of which nothing is there is counted too.
counts as (

    select
        table_name,
        batch_id,
        landed_on,
        producer,
        ingested_at,
        bronze,
        silver,
        quarantined,
        silver * line_number as silver_lines,
        quarantined * line_number as quarantined_lines,
        case when bronze != silver + quarantined then 1 else 0 end as lines_astray,
        0 as letters
    from lines
    union all
    select
        table_name,
        batch_id,
        landed_on,
        producer,
        ingested_at,
        0 as bronze,
        0 as silver,
        0 as quarantined,
        0 as silver_lines,
        0 as quarantined_lines,
        0 as lines_astray,
        case when is_refused then 1 else 0 end as letters
    from letters
    union all
    select
        table_name,
        batch_id,
        landed_on,
        cast(null as string) as producer,
        cast(null as timestamp) as ingested_at,
        0 as bronze,
        0 as silver,
        0 as quarantined,
        0 as silver_lines,
        0 as quarantined_lines,
        0 as lines_astray,
        0 as letters
    from batches

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
        landed_on,
        plain_producer as producer,
        cast(sum(bronze) as int64) as bronze,
        cast(sum(silver) as int64) as silver,
        cast(sum(quarantined) as int64) as quarantined,
        cast(sum(silver_lines) as int64) as silver_lines,
        cast(sum(quarantined_lines) as int64) as quarantined_lines,
        cast(sum(lines_astray) as int64) as lines_astray,
        cast(sum(letters) as int64) as letters,
        max(ingested_at) as ingested_at
    from named
    group by table_name, batch_id, landed_on, plain_producer

)

select * from counted
