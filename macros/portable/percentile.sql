{%- macro percentile(expression, fraction, partition_by) -%}
    {{ return(adapter.dispatch('percentile', 'assay')(expression, fraction, partition_by)) }}
{%- endmacro -%}

{%- macro default__percentile(expression, fraction, partition_by) -%}
    {{ exceptions.raise_compiler_error('percentile: no implementation for ' ~ target.type) }}
{%- endmacro -%}

{%- macro duckdb__percentile(expression, fraction, partition_by) -%}
    quantile_cont({{ expression }}, {{ fraction }}) over (partition by {{ partition_by | join(', ') }})
{%- endmacro -%}

{%- macro bigquery__percentile(expression, fraction, partition_by) -%}
    percentile_cont({{ expression }}, {{ fraction }}) over (partition by {{ partition_by | join(', ') }})
{%- endmacro -%}
