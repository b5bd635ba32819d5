{#-
    After every dbt build: whether it was green, which models it built, and which are red by now.
    Only what is green may be published.
-#}
{%- macro record_build(results) -%}
{%- if execute and flags.WHICH == 'build' -%}
{%- set failed = results | selectattr('status', 'in', ['error', 'fail', 'runtime error']) | list -%}
{%- set done = results | selectattr('status', 'equalto', 'success') | map(attribute='node') -%}
{%- set models = done | selectattr('resource_type', 'equalto', 'model') | map(attribute='name') -%}
create or replace table {{ target.schema }}.last_build as
select
    '{{ invocation_id }}' as build_id,
    cast('{{ run_started_at.strftime("%Y-%m-%d %H:%M:%S.%f") }}' as {{ dbt.type_timestamp() }}) as started_at,
    {{ 'false' if failed else 'true' }} as is_green,
    {{ failed | length }} as failed_nodes,
    {{ results | length }} as nodes,
    '{{ models | join(" ") }}' as models,
    '{{ red_models(results) | join(" ") }}' as red_models
{%- endif -%}
{%- endmacro -%}
