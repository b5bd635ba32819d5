-- Was a record lost on the way, where no other database would show it? (S3-30)
-- Empty is good. The books are no mart, so this reads bronze, as `assay ledger` does.
with

ledger as (

    select
        batch_id,
        table_name,
        received,
        accepted,
        rejected,
        duplicates
    from {{ source('bronze', 'landing_ledger') }}

),

landed as (

    select batch_id from {{ source('bronze', 'attempts') }}
    union all
    select batch_id from {{ source('bronze', 'deposit_attempts') }}

),

landed_batches as (

    select
        batch_id,
        count(*) as landed
    from landed
    group by batch_id

),

refused_batches as (

    select
        batch_id,
        count(*) as refused
    from {{ source('bronze', 'dead_letters') }}
    group by batch_id

),

balances as (

    select
        ledger.*,
        coalesce(landed_batches.landed, 0) as landed,
        coalesce(refused_batches.refused, 0) as refused
    from ledger
    left join landed_batches on ledger.batch_id = landed_batches.batch_id
    left join refused_batches on ledger.batch_id = refused_batches.batch_id

),

lost as (

    select
        *,
        received - landed - refused - duplicates as missing
    from balances
    where
        received != landed + refused + duplicates
        or accepted != landed
        or rejected != refused

)

select * from lost
order by table_name, batch_id
