-- Did all that was received get to where it is read, day by day? (S3-24)
with

losses as (

    select * from {{ ref('loss_ledger') }}

),

days as (

    select
        period_start,
        table_name,
        cast(sum(received) as int64) as received,
        cast(sum(silver) as int64) as kept,
        cast(sum(quarantined + duplicates) as int64) as repeated,
        cast(sum(rejected) as int64) as refused,
        cast(sum(missing) as int64) as never_received
    from losses
    group by period_start, table_name

),

accounted as (

    select
        *,
        received - kept - repeated - refused as unaccounted
    from days

)

select * from accounted
order by period_start desc, table_name asc
