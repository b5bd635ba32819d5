{#-
    Stands in for dbt-duckdb's own: `partition_by` says how BigQuery partitions a table, and the
    tables of a DuckDB file have no partitions.
-#}
{%- macro duckdb__get_partitioned_by(relation, temporary) -%}
    {{ return(none) }}
{%- endmacro -%}
