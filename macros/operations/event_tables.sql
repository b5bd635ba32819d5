{#-
    Tables of events, and the silver models that take them up. dbt has to know these names before it
    reads the contracts, so they stand here too, once for all models that are about every table; the
    build stops where a contract says otherwise. Of a domain that is not built, none.
-#}
{%- macro event_tables() -%}
    {%- set tables = {
        'attempts': {'silver': 'stg_access__attempts', 'duplicates': 'int_access__duplicates'},
        'deposit_attempts': {'silver': 'stg_access__deposit_attempts', 'duplicates': 'int_access__duplicates'},
        'claim_events': {'silver': 'stg_claims__claim_events', 'duplicates': 'int_claims__duplicates'},
        'fraud_decisions': {'silver': 'stg_fraud__decisions', 'duplicates': 'int_fraud__duplicates'},
        'fraud_outcomes': {'silver': 'stg_fraud__outcomes', 'duplicates': 'int_fraud__duplicates'},
        'platform_events': {'silver': 'stg_engagement__events', 'duplicates': 'int_engagement__duplicates'},
    } -%}
    {%- for node in (graph.sources.values() if execute else []) if node.source_name == 'bronze' -%}
        {%- set contract = contract_of(node.name) -%}
        {%- set models = {'silver': contract.silver, 'duplicates': contract.duplicates} -%}
        {%- set said = models if contract.silver else none -%}
        {%- if tables.get(node.name) != said -%}
            {{ exceptions.raise_compiler_error(
                'event_tables: the contract of ' ~ node.name ~ ' says ' ~ (said or 'no silver model')
                ~ '. Say the same in macros/operations/event_tables.sql'
            ) }}
        {%- endif -%}
    {%- endfor -%}
    {%- set built = {} -%}
    {%- for name, models in tables.items() if is_built(domain_of_model(models.silver)) -%}
        {%- do built.update({name: models}) -%}
    {%- endfor -%}
    {{ return(built) }}
{%- endmacro -%}

{#- The names of the tables, as a list in SQL. -#}
{%- macro event_table_names() -%}
    ('{{ event_tables() | join("', '") }}')
{%- endmacro -%}

{#- The domain whose silver takes up a table of events. -#}
{%- macro domain_of(table) -%}
    case {{ table }}
        {%- for name, models in event_tables().items() %}
        when '{{ name }}' then '{{ domain_of_model(models.silver) }}'
        {%- endfor %}
    end
{%- endmacro -%}

{#- Those domains, by name. -#}
{%- macro event_domains() -%}
    {%- set found = [] -%}
    {%- for models in event_tables().values() -%}
        {%- do found.append(domain_of_model(models.silver)) -%}
    {%- endfor -%}
    {{ return(found | unique | list) }}
{%- endmacro -%}

{#- `access` of `stg_access__attempts`. -#}
{%- macro domain_of_model(name) -%}
    {{ return(name.split('__')[0].split('_')[1]) }}
{%- endmacro -%}

{#- Rows that bronze holds of any table of events, with whoever numbered them. -#}
{%- macro landed_rows(where) -%}
    {%- for table in event_tables() %}
    select
        '{{ table }}' as table_name,
        batch_id,
        line_number,
        producer,
        sequence,
        ingest_date as landed_on,
        {{ utc_timestamp('ingested_at') }} as ingested_at
    from {{ source('bronze', table) }}
    where {{ where }}
    {{ 'union all' if not loop.last }}
    {%- endfor %}
{%- endmacro -%}

{#- Rows of silver and of its duplicates, by the row of bronze that they came from. -#}
{%- macro rows_of_silver() -%}
    {%- for table, models in event_tables().items() %}
    select
        '{{ table }}' as table_name,
        batch_id,
        line_number,
        {{ utc_day('ingested_at') }} as landed_on,
        true as is_kept
    from {{ ref(models.silver) }}
    union all
    select
        table_name,
        batch_id,
        line_number,
        {{ utc_day('ingested_at') }} as landed_on,
        false as is_kept
    from {{ ref(models.duplicates) }}
    where table_name = '{{ table }}'
    {{ 'union all' if not loop.last }}
    {%- endfor %}
{%- endmacro -%}

{#-
    Condition: bronze still holds all that landed on a day, by the retention of the table's contract
    and of the dead letters. The first part is for BigQuery, which skips partitions by a constant.
-#}
{%- macro is_held(day, table) -%}
    {%- set letters = contract_of('dead_letters').retention_days or 0 -%}
    {%- set firsts = {} -%}
    {%- for name in event_tables() -%}
        {%- set kept = [contract_of(name).retention_days or 0, letters] | min -%}
        {%- set forgotten = run_started_at - modules.datetime.timedelta(days=kept) -%}
        {%- do firsts.update({name: forgotten.strftime('%Y-%m-%d')}) -%}
    {%- endfor -%}
    {{ day }} > date '{{ firsts.values() | min }}'
    and {{ day }} > case {{ table }}
        {%- for name, forgotten in firsts.items() %}
        when '{{ name }}' then date '{{ forgotten }}'
        {%- endfor %}
    end
{%- endmacro -%}
