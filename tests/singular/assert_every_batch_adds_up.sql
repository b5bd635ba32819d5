-- Every batch adds up of the days that bronze still holds, from the ledger to silver, and the mart
-- says so. A day that expired with a fault in it keeps its mark, and is no matter here.
{{ tell_unbalanced() }}
with

books as (

    select distinct
        landed_on,
        table_name,
        batch_id,
        problem
    from {{ ref('int_platform__batch_books') }}

),

faults as (

    select * from books
    where problem is not null

),

losses as (

    select * from {{ ref('loss_ledger') }}

),

shown as (

    select distinct
        books.landed_on,
        books.table_name
    from losses
    inner join books
        on
            losses.period_start = books.landed_on
            and losses.table_name = books.table_name
    where not losses.balanced

),

told as (

    select
        faults.batch_id,
        faults.problem,
        coalesce(faults.table_name, shown.table_name) as table_name
    from faults
    full outer join shown on {{ same('faults', 'shown', ['landed_on', 'table_name']) }}

)

select * from told
