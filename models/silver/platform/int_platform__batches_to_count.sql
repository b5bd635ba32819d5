{{ config(materialized='table') }}

{%- set name = 'int_platform__row_counts' -%}
{%- set counts = adapter.get_relation(this.database, this.schema, name) if execute -%}
{%- set looked_at = landed_since(
    'select max(ingested_at) as landed_at from ' ~ counts,
    counts,
    days_before=var('batch_lookback_days')
) if counts else 'true' %}

-- Batches that are not counted yet, and those that did not add up, or of which the ledger or silver
-- says something else than was counted. Bronze itself is not read for this.
with

ledger as (

    select * from {{ ref('stg_platform__batches') }}

),

accounted as (

    {{ rows_of_silver() }}

),

in_silver as (

    select
        table_name,
        batch_id,
        min(landed_on) as landed_on,
        count(case when is_kept then 1 end) as silver,
        count(case when not is_kept then 1 end) as quarantined,
        sum(case when is_kept then line_number else 0 end) as silver_lines,
        sum(case when is_kept then 0 else line_number end) as quarantined_lines
    from accounted
    where {{ is_held('landed_on', 'table_name') }}
    group by table_name, batch_id

),

letters as (

    select
        table_name,
        batch_id,
        ingest_date as landed_on
    from {{ source('bronze', 'dead_letters') }}
    where
        table_name in {{ event_table_names() }}
        and {{ is_held('ingest_date', 'table_name') }}
        and {{ looked_at }}

),

{% if counts -%}
counted as (

    select
        table_name,
        batch_id,
        min(landed_on) as landed_on,
        sum(bronze) as bronze,
        sum(silver) as silver,
        sum(quarantined) as quarantined,
        sum(silver_lines) as silver_lines,
        sum(quarantined_lines) as quarantined_lines,
        sum(lines_astray) as lines_astray,
        sum(letters) as letters
    from {{ counts }}
    where {{ is_held('landed_on', 'table_name') }}
    group by table_name, batch_id

),

settled as (

    select
        counted.table_name,
        counted.batch_id
    from counted
    left join ledger on {{ same('counted', 'ledger', ['table_name', 'batch_id']) }}
    left join in_silver on {{ same('counted', 'in_silver', ['table_name', 'batch_id']) }}
    where
        counted.lines_astray = 0
        and counted.bronze = coalesce(ledger.accepted, 0)
        and counted.letters = coalesce(ledger.rejected, 0)
        and counted.silver = coalesce(in_silver.silver, 0)
        and counted.quarantined = coalesce(in_silver.quarantined, 0)
        and counted.silver_lines = coalesce(in_silver.silver_lines, 0)
        and counted.quarantined_lines = coalesce(in_silver.quarantined_lines, 0)
        {%- if is_read_again(['int_platform__row_counts']) %}
        and not ({{ in_rebuilt_span('counted.landed_on') }})
        {%- endif %}

),
{%- endif %}

known as (

    select
        table_name,
        batch_id,
        landed_on
    from ledger
    union all
    select
        table_name,
        batch_id,
        landed_on
    from in_silver
    union all
    select
        table_name,
        batch_id,
        landed_on
    from letters
    {%- if counts %}
    union all
    select
        table_name,
        batch_id,
        landed_on
    from counted
    {%- endif %}

),

to_count as (

    select
        known.table_name,
        known.batch_id,
        min(known.landed_on) as landed_on
    from known
    {%- if counts %}
    left join settled on {{ same('known', 'settled', ['table_name', 'batch_id']) }}
    where settled.batch_id is null
    {%- endif %}
    group by known.table_name, known.batch_id

)

select * from to_count
