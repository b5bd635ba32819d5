{#-
    The rows of the batches that silver has not read yet, and which of them silver keeps.

    A batch is read once its rows in silver and in the duplicates add up to its rows in bronze, so a
    run that dies between the two models is completed by the next one. Of all rows of one key the
    first by (ingested_at, batch_id, line_number) is kept. Rows that silver already holds of an
    arriving key take part, because a batch that becomes visible late may hold the earlier row.

    An erasure leaves an empty line in bronze, without a payload hash: it is counted and not kept.

    `assay rebuild` has the rows of its days read again as well, unless bronze lacks some of a day.
-#}
{%- macro arrivals(table, key, silver, duplicates, silver_time) -%}
{%- set known_kept = adapter.get_relation(this.database, this.schema, silver) if execute -%}
{%- set known_others = adapter.get_relation(this.database, this.schema, duplicates) if execute -%}
{%- set is_read_again = known_kept and known_others and is_read_again([silver, duplicates]) -%}
{%- if is_read_again -%}
    {%- set landed_day = utc_day(utc_timestamp('landed.' ~ contract_of(table).event_time)) -%}
    {%- set lacking = days_bronze_lacks(source('bronze', table), known_kept, silver_time) -%}
    {%- set below = run_query(
        'select distinct ' ~ landed_day ~ ' as period_day from ' ~ source('bronze', table)
        ~ ' as landed where ' ~ in_rebuilt_span(landed_day) ~ ' order by period_day'
    ).columns[0].values() -%}
    {%- do tell_days(silver, below, lacking) -%}
{%- endif -%}
{%- set identity = [key, 'batch_id', 'line_number', 'ingested_at', 'payload_key'] | join(', ') -%}
-- The books hold silver to what the ledger listed before: {{ ref('stg_platform__batches') }}.
with

landed as (

    select * from {{ source('bronze', table) }}
    {%- if known_kept and known_others and not is_read_again %}
    where {{ landed_since(
        'select max(ingested_at) as landed_at from (select ingested_at from ' ~ known_kept
        ~ ' union all select ingested_at from ' ~ known_others
        ~ " where table_name = '" ~ table ~ "') as known",
        known_kept,
        days_before=var('batch_lookback_days')
    ) }}
    {%- endif %}

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
        {{ pseudonymize("coalesce(landed.payload_hash, 'erased')", table ~ '.payload') }} as payload_key,
        landed.payload_hash is null as is_erased
    from landed
    left join unread_batches on landed.batch_id = unread_batches.batch_id
    where
        unread_batches.batch_id is not null
        {%- if is_read_again %}
        or (
            {{ in_rebuilt_span(landed_day) }}
            {%- for day in lacking %}
            and {{ landed_day }} != cast('{{ day }}' as date)
            {%- endfor %}
        )
        {%- endif %}

),

contenders as (

    select *, true as is_new from unread
    {%- if known_kept and known_others %}
    union all
    select known.*, false as is_erased, false as is_new
    from known
    inner join (select distinct {{ key }} from unread) as arriving on known.{{ key }} = arriving.{{ key }}
    left join unread on {{ same('known', 'unread', ['batch_id', 'line_number']) }}
    where unread.batch_id is null
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
        select
            {{ identity }},
            max(case when is_erased then 1 else 0 end) = 1 as is_erased,
            max(case when is_new then 1 else 0 end) = 1 as is_new
        from contenders
        group by {{ identity }}
    ) as contenders

),

arrivals as (

    select
        {{ identity }},
        is_new,
        case
            when is_erased then 'erased'
            when place = 1 then 'kept'
            when payload_key = kept_payload_key then 'duplicate_exact'
            else 'duplicate_conflict'
        end as verdict
    from ranked

)

select * from arrivals
{%- endmacro -%}

{#- Condition on bronze: rows that arrived with what is new in the arrivals, and maybe others. -#}
{%- macro arrived_since(arrivals) -%}
    {{ landed_since(
        'select coalesce(min(ingested_at), ' ~ now_utc() ~ ') as landed_at from ' ~ arrivals ~ ' where is_new',
        arrivals
    ) }}
{%- endmacro -%}
