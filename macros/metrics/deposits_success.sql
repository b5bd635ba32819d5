{#- Share of the payments of a cell that were captured, of those that were captured or failed. -#}
{%- macro deposits_success() -%}
    {{ ratio('count(case when is_captured then 1 end)', 'count(case when is_captured or is_failed then 1 end)') }}
{%- endmacro -%}
