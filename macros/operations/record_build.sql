{#- After every dbt build: whether it was green. Only a green build may be published. -#}
{%- macro record_build(results) -%}
{%- if execute and flags.WHICH == 'build' -%}
{%- set failed = results | selectattr('status', 'in', ['error', 'fail', 'runtime error']) | list -%}
create or replace table {{ target.schema }}.last_build as
select
    '{{ invocation_id }}' as build_id,
    {{ now_utc() }} as started_at,
    {{ 'false' if failed else 'true' }} as is_green,
    {{ failed | length }} as failed_nodes,
    {{ results | length }} as nodes
{%- endif -%}
{%- endmacro -%}
