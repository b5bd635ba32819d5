-- Was a record lost on the way, where no other database would show it? (S3-30)
-- Numbers that a producer gave and nobody received, and days on which a batch does not add up.
with

losses as (

    select * from {{ ref('loss_ledger') }}

),

lost as (

    select
        period_start,
        table_name,
        producer,
        missing,
        gap_ranges,
        unbalanced_batches
    from losses
    where missing > 0 or not balanced

)

select * from lost
order by period_start desc, table_name asc, producer asc
