{{ config(materialized='table') }}

with

books as (

    select * from {{ ref('int_platform__batch_books') }}

),

ranges as (

    select * from {{ ref('int_platform__number_ranges') }}

),

named as (

    select
        *,
        coalesce(producer, 'unnumbered') as shown_producer
    from books

),

days as (

    select
        landed_on as period_start,
        table_name,
        shown_producer as producer,
        cast(sum(received) as int64) as received,
        cast(sum(accepted) as int64) as accepted,
        cast(sum(rejected) as int64) as rejected,
        cast(sum(duplicates) as int64) as duplicates,
        cast(sum(bronze) as int64) as bronze,
        cast(sum(silver) as int64) as silver,
        cast(sum(quarantined) as int64) as quarantined
    from named
    group by landed_on, table_name, shown_producer

),

numbers_of_days as (

    select
        landed_on as period_start,
        table_name,
        producer,
        cast(sum(last_number - first_number + 1) as int64) as numbers
    from ranges
    group by landed_on, table_name, producer

),

-- A number may come on several days. Whatever is missing before it is told on the first.
beginnings as (

    select
        table_name,
        producer,
        first_number,
        min(landed_on) as landed_on,
        max(last_number) as last_number
    from ranges
    group by table_name, producer, first_number

),

preceded as (

    select
        *,
        max(last_number) over (
            partition by table_name, producer
            order by first_number
            rows between unbounded preceding and 1 preceding
        ) as known_to
    from beginnings

),

gaps as (

    select
        table_name,
        producer,
        landed_on as period_start,
        known_to + 1 as first_missing,
        first_number - 1 as last_missing,
        row_number() over (
            partition by landed_on, table_name, producer order by first_number
        ) as place
    from preceded
    where first_number - 1 > known_to

),

gaps_of_days as (

    select
        period_start,
        table_name,
        producer,
        cast(sum(last_missing - first_missing + 1) as int64) as missing,
        count(*) as gaps,
        string_agg(
            case
                when place > 100 then null
                when first_missing = last_missing then cast(first_missing as string)
                else cast(first_missing as string) || '-' || cast(last_missing as string)
            end, ', ' order by place
        ) as gap_ranges
    from gaps
    group by period_start, table_name, producer

),

faults as (

    select
        landed_on as period_start,
        table_name,
        batch_id,
        row_number() over (partition by landed_on, table_name order by batch_id) as place
    from books
    where problem is not null
    group by landed_on, table_name, batch_id

),

faults_of_days as (

    select
        period_start,
        table_name,
        string_agg(
            case when place <= 10 then batch_id end, ', ' order by place
        ) as unbalanced_batches
    from faults
    group by period_start, table_name

),

losses as (

    select
        days.*,
        gaps_of_days.gap_ranges,
        faults_of_days.unbalanced_batches,
        coalesce(numbers_of_days.numbers, 0) as numbers,
        coalesce(gaps_of_days.gaps, 0) as gaps,
        coalesce(gaps_of_days.missing, 0) as missing,
        faults_of_days.unbalanced_batches is null as balanced
    from days
    left join numbers_of_days
        on {{ same('days', 'numbers_of_days', ['period_start', 'table_name', 'producer']) }}
    left join gaps_of_days
        on {{ same('days', 'gaps_of_days', ['period_start', 'table_name', 'producer']) }}
    left join faults_of_days on {{ same('days', 'faults_of_days', ['period_start', 'table_name']) }}

)

select * from losses
