{#-
    Condition on bronze: only partitions from the day on which lies the time that a query on a
    relation gives, less some days. BigQuery skips partitions by a constant alone, so it is asked
    beforehand. Everything, while there is no such relation.
-#}
{%- macro landed_since(query, relation, days_before=0) -%}
    {{ return(adapter.dispatch('landed_since', 'assay')(query, relation, days_before)) }}
{%- endmacro -%}

{%- macro default__landed_since(query, relation, days_before=0) -%}
    {{ exceptions.raise_compiler_error('landed_since: no implementation for ' ~ target.type) }}
{%- endmacro -%}

{%- macro duckdb__landed_since(query, relation, days_before=0) -%}
    true
{%- endmacro -%}

{%- macro bigquery__landed_since(query, relation, days_before=0) -%}
    {%- if execute and load_relation(relation) -%}
        {%- set first = run_query(
            'select date_sub(date(landed_at), interval ' ~ days_before ~ ' day) as first_day from ('
            ~ query ~ ') as batches'
        ).columns[0].values()[0] -%}
    {%- endif -%}
    {{ "ingest_date >= date '" ~ first ~ "'" if first else 'true' }}
{%- endmacro -%}
