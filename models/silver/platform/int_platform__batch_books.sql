{{ config(materialized='table') }}

with

ledger as (

    select * from {{ ref('stg_platform__batches') }}

),

counts as (

    select * from {{ ref('int_platform__row_counts') }}

),

listed as (

    select batch_id from ledger
    union distinct
    select batch_id from {{ source('bronze', 'landing_ledger') }}

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

    select * from ledger
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

expired_days as (

    select distinct landed_on
    from judged
    where
        (accepted > 0 and bronze = 0 and {{ is_past_retention('landed_on', 'table_name') }})
        or (rejected > 0 and letters = 0 and {{ is_past_retention('landed_on', "'dead_letters'") }})

),

-- A day is counted as long as bronze has all of it.
whole as (

    select judged.*
    from judged
    left join expired_days on judged.landed_on = expired_days.landed_on
    where expired_days.landed_on is null

),

numbered as (

    select
        whole.landed_on,
        whole.table_name,
        whole.batch_id,
        counts.producer,
        counts.bronze + counts.letters as received,
        counts.bronze as accepted,
        counts.letters as rejected,
        0 as duplicates,
        counts.bronze,
        counts.silver,
        counts.quarantined,
        whole.problem
    from whole
    inner join counts on {{ same('whole', 'counts', ['table_name', 'batch_id']) }}
    where counts.producer is not null

),

-- What is left of the batch. Where that does not add up, it may be less than nothing.
unnumbered as (

    select
        whole.landed_on,
        whole.table_name,
        whole.batch_id,
        cast(null as string) as producer,
        whole.received - whole.named_bronze - whole.named_letters as received,
        whole.accepted - whole.named_bronze as accepted,
        whole.rejected - whole.named_letters as rejected,
        whole.duplicates,
        coalesce(counts.bronze, 0) as bronze,
        coalesce(counts.silver, 0) as silver,
        coalesce(counts.quarantined, 0) as quarantined,
        whole.problem
    from whole
    left join counts
        on
            {{ same('whole', 'counts', ['table_name', 'batch_id']) }}
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
