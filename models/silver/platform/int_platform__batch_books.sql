{{ config(materialized='table') }}

with

ledger as (

    select
        table_name,
        batch_id,
        landed_on,
        received,
        accepted,
        rejected,
        duplicates,
        ledger_lines
    from {{ ref('stg_platform__batches') }}

),

counts as (

    select * from {{ ref('int_platform__row_counts') }}
    where {{ is_held('landed_on', 'table_name') }}

),

listed as (

    select batch_id from ledger
    union distinct
    select batch_id from {{ source('bronze', 'landing_ledger') }}
    where {{ is_held('ingest_date', 'table_name') }}

),

totals as (

    select
        table_name,
        batch_id,
        cast(sum(bronze) as int64) as bronze,
        cast(sum(silver) as int64) as silver,
        cast(sum(quarantined) as int64) as quarantined,
        cast(sum(lines_astray) as int64) as lines_astray,
        cast(sum(letters) as int64) as letters,
        cast(sum(case when producer is not null then bronze else 0 end) as int64) as named_bronze,
        cast(sum(case when producer is not null then letters else 0 end) as int64) as named_letters,
        min(landed_on) as landed_on,
        max(ingested_at) as ingested_at
    from counts
    group by table_name, batch_id

),

-- Without a line in the ledger. What is young may still be on its way.
unlisted as (

    select
        totals.table_name,
        totals.batch_id,
        totals.landed_on,
        0 as received,
        0 as accepted,
        0 as rejected,
        0 as duplicates,
        0 as ledger_lines
    from totals
    left join listed on totals.batch_id = listed.batch_id
    where
        listed.batch_id is null
        and totals.ingested_at < {{ now_utc(hours_ago=1) }}

),

batches as (

    select
        table_name,
        batch_id,
        landed_on,
        received,
        accepted,
        rejected,
        duplicates,
        ledger_lines
    from ledger
    union all
    select * from unlisted

),

held as (

    select
        batches.*,
        coalesce(totals.bronze, 0) as bronze,
        coalesce(totals.silver, 0) as silver,
        coalesce(totals.quarantined, 0) as quarantined,
        coalesce(totals.lines_astray, 0) as lines_astray,
        coalesce(totals.letters, 0) as letters,
        coalesce(totals.named_bronze, 0) as named_bronze,
        coalesce(totals.named_letters, 0) as named_letters
    from batches
    left join totals on {{ same('batches', 'totals', ['table_name', 'batch_id']) }}

),

judged as (

    select
        *,
        case
            when ledger_lines != 1
                then 'the ledger has ' || cast(ledger_lines as string) || ' lines of it'
            when received != accepted + rejected + duplicates
                then 'received is not accepted + rejected + duplicates'
            when accepted != bronze
                then 'accepted is not what bronze holds'
            when rejected != letters
                then 'rejected is not what the dead letters hold'
            when bronze > 0 and silver + quarantined = 0
                then 'a build has read it, and silver has nothing of it'
            when lines_astray > 0
                then 'bronze is not silver + duplicates'
        end as problem
    from held

),

numbered as (

    select
        judged.landed_on,
        judged.table_name,
        judged.batch_id,
        counts.producer,
        counts.bronze + counts.letters as received,
        counts.bronze as accepted,
        counts.letters as rejected,
        0 as duplicates,
        counts.bronze,
        counts.silver,
        counts.quarantined,
        judged.problem
    from judged
    inner join counts on {{ same('judged', 'counts', ['table_name', 'batch_id']) }}
    where counts.producer is not null

),

-- What is left of a batch. Where that does not add up, it may be less than nothing.
unnumbered as (

    select
        judged.landed_on,
        judged.table_name,
        judged.batch_id,
        cast(null as string) as producer,
        judged.received - judged.named_bronze - judged.named_letters as received,
        judged.accepted - judged.named_bronze as accepted,
        judged.rejected - judged.named_letters as rejected,
        judged.duplicates,
        coalesce(counts.bronze, 0) as bronze,
        coalesce(counts.silver, 0) as silver,
        coalesce(counts.quarantined, 0) as quarantined,
        judged.problem
    from judged
    left join counts
        on
            {{ same('judged', 'counts', ['table_name', 'batch_id']) }}
            and counts.producer is null

),

books as (

    select * from numbered
    union all
    select * from unnumbered
    where
        problem is not null
        or received != 0
        or accepted != 0
        or rejected != 0
        or duplicates != 0
        or bronze != 0
        or silver != 0
        or quarantined != 0

)

select * from books
