{#-
    The rows of the batches that silver has not read yet, and which of them silver keeps.

    A batch is read once its rows in silver and in the duplicates add up to its rows in bronze, so a
    run that dies between the two models is completed by the next one. Of all rows of one key the
    first by (ingested_at, batch_id, line_number) is kept. Rows that silver already holds of an
    arriving key take part, because a batch that becomes visible late may hold the earlier row.
-#}
{%- macro arrivals(table, key, silver, duplicates) -%}
{%- set known_kept = adapter.get_relation(this.database, 'silver', silver) if execute -%}
{%- set known_others = adapter.get_relation(this.database, 'silver', duplicates) if execute -%}
{%- set identity = [key, 'batch_id', 'line_number', 'ingested_at', 'payload_key'] | join(', ') -%}
with

landed as (

    select * from {{ source('bronze', table) }}

),

{% if known_kept and known_others -%}
known as (

    select {{ identity }} from {{ known_kept }}
    union all
    select {{ identity }} from {{ known_others }} where table_name = '{{ table }}'

),

unread_batches as (

    select landed.batch_id
    from (select batch_id, count(*) as row_total from landed group by batch_id) as landed
    left join (select batch_id, count(*) as row_total from known group by batch_id) as known
        on landed.batch_id = known.batch_id
    where landed.row_total != coalesce(known.row_total, 0)

),
{%- else -%}
unread_batches as (

    select distinct batch_id from landed

),
{%- endif %}

unread as (

    select
        landed.{{ key }},
        landed.batch_id,
        landed.line_number,
        {{ utc_timestamp('landed.ingested_at') }} as ingested_at,
        {{ pseudonymize('landed.payload_hash', table ~ '.payload') }} as payload_key
    from landed
    inner join unread_batches on landed.batch_id = unread_batches.batch_id

),

contenders as (

    select *, true as is_new from unread
    {%- if known_kept and known_others %}
    union all
    select known.*, false as is_new
    from known
    inner join (select distinct {{ key }} from unread) as arriving on known.{{ key }} = arriving.{{ key }}
    {%- endif %}

),

ranked as (

    select
        *,
        row_number() over (
            partition by {{ key }} order by ingested_at, batch_id, line_number
        ) as place,
        first_value(payload_key) over (
            partition by {{ key }} order by ingested_at, batch_id, line_number
        ) as kept_payload_key
    from (
        select {{ identity }}, max(case when is_new then 1 else 0 end) = 1 as is_new
        from contenders
        group by {{ identity }}
    ) as contenders

),

arrivals as (

    select
        {{ identity }},
        is_new,
        case
            when place = 1 then 'kept'
            when payload_key = kept_payload_key then 'duplicate_exact'
            else 'duplicate_conflict'
        end as verdict
    from ranked

)

select * from arrivals
{%- endmacro -%}
