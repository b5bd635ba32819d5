{%- macro now_utc(hours_ago=0) -%}
    {{ return(adapter.dispatch('now_utc', 'assay')(
        (run_started_at - modules.datetime.timedelta(hours=hours_ago)).strftime('%Y-%m-%d %H:%M:%S.%f')
    )) }}
{%- endmacro -%}

{%- macro default__now_utc(moment) -%}
    {{ exceptions.raise_compiler_error('now_utc: no implementation for ' ~ target.type) }}
{%- endmacro -%}

{%- macro duckdb__now_utc(moment) -%}
    cast('{{ moment }}' as timestamp)
{%- endmacro -%}

{%- macro bigquery__now_utc(moment) -%}
    timestamp '{{ moment }}+00'
{%- endmacro -%}
