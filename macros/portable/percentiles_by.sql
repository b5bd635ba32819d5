{#-
    Query for percentiles of each cell of a relation, one column per metric, named as it is. As a
    window, which is all that BigQuery has, DuckDB would take three times as long.
-#}
{%- macro percentiles_by(relation, cell, metrics) -%}
    {{ return(adapter.dispatch('percentiles_by', 'assay')(relation, cell, metrics)) }}
{%- endmacro -%}

{%- macro default__percentiles_by(relation, cell, metrics) -%}
    {{ exceptions.raise_compiler_error('percentiles_by: no implementation for ' ~ target.type) }}
{%- endmacro -%}

{%- macro duckdb__percentiles_by(relation, cell, metrics) -%}
    select
        {{ cell | join(', ') }}
        {%- for metric in metrics %},
        quantile_cont({{ metric.input }}__value, {{ metric.fraction }}) as {{ metric.name }}
        {%- endfor %}
    from {{ relation }}
    group by {{ cell | join(', ') }}
{%- endmacro -%}

{%- macro bigquery__percentiles_by(relation, cell, metrics) -%}
    select
        {{ cell | join(', ') }}
        {%- for metric in metrics %},
        any_value({{ metric.name }}) as {{ metric.name }}
        {%- endfor %}
    from (
        select
            {{ cell | join(', ') }}
            {%- for metric in metrics %},
            {{ percentile(metric.input ~ '__value', metric.fraction, cell) }} as {{ metric.name }}
            {%- endfor %}
        from {{ relation }}
    ) as percentiles
    group by {{ cell | join(', ') }}
{%- endmacro -%}
