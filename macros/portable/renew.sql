{#- The strategy `renew` as each engine takes it: rows are forgotten and added in one transaction. -#}

{#- Called by dbt's incremental materialization, inside its transaction. -#}
{%- macro get_incremental_renew_sql(arguments) -%}
    {{ return(adapter.dispatch('get_incremental_renew_sql', 'assay')(
        arguments['target_relation'], arguments['temp_relation'], arguments['dest_columns']
    )) }}
{%- endmacro -%}

{%- macro default__get_incremental_renew_sql(kept, computed, columns) -%}
    {{ exceptions.raise_compiler_error('renew: no implementation for ' ~ target.type) }}
{%- endmacro -%}

{%- macro duckdb__get_incremental_renew_sql(kept, computed, columns) -%}
    {%- set names = columns | map(attribute='quoted') | join(', ') -%}
    delete from {{ kept }} where {{ is_out_of_date(computed) }};
    insert into {{ kept }} ({{ names }}) select {{ names }} from {{ computed }};
{%- endmacro -%}

{%- macro bigquery__get_incremental_renew_sql(kept, computed, columns) -%}
    begin transaction;
    {{ duckdb__get_incremental_renew_sql(kept, computed, columns) }}
    commit transaction;
{%- endmacro -%}

{#-
    dbt-bigquery knows a closed list of strategies. These two stand in for its own macros of the same
    name, and leave every other strategy to them.
-#}
{%- macro dbt_bigquery_validate_get_incremental_strategy(config) -%}
    {%- if config.get('incremental_strategy') == 'renew' -%}
        {{ return('renew') }}
    {%- endif -%}
    {{ return(dbt.dbt_bigquery_validate_get_incremental_strategy(config)) }}
{%- endmacro -%}

{%- macro bq_generate_incremental_build_sql(
    strategy, tmp_relation, target_relation, sql, unique_key, partition_by, partitions, dest_columns,
    tmp_relation_exists, copy_partitions, incremental_predicates
) -%}
    {%- if strategy == 'renew' -%}
        {{ return(get_incremental_renew_sql({
            'target_relation': target_relation, 'temp_relation': tmp_relation, 'dest_columns': dest_columns
        })) }}
    {%- endif -%}
    {{ return(dbt.bq_generate_incremental_build_sql(
        strategy, tmp_relation, target_relation, sql, unique_key, partition_by, partitions, dest_columns,
        tmp_relation_exists, copy_partitions, incremental_predicates
    )) }}
{%- endmacro -%}
