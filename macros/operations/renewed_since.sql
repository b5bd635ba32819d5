{#- Condition that a period begins on the first day that differs, or later. -#}
{%- macro is_since(period_start) -%}
    {%- if not is_incremental() -%}
        {{ return('true') }}
    {%- endif -%}
    {%- set first_day = run_query(first_changed_day(config.get('meta')['renews'])).columns[0].values()[0] -%}
    {{ return(utc_day(period_start) ~ " >= date '" ~ first_day ~ "'" if first_day else 'false') }}
{%- endmacro -%}

{%- macro first_changed_day(renews) -%}
    with

    below as (

        select
            {{ utc_day('period_start') }} as period_day
            {%- for expression in renews['told_by'] %},
            {{ expression }} as told_{{ loop.index }}
            {%- endfor %}
        from {{ ref(renews['since']) }}
        where {{ renews['where'] }}
        group by {{ utc_day('period_start') }}

    ),

    here as (

        select
            {{ utc_day('period_start') }} as period_day
            {%- for expression in renews['told_by'] %},
            {{ expression }} as told_{{ loop.index }}
            {%- endfor %}
        from {{ this }}
        group by {{ utc_day('period_start') }}

    )

    select min(coalesce(below.period_day, here.period_day)) as first_day
    from below
    full outer join here on below.period_day = here.period_day
    where
        {% for _ in renews['told_by'] -%}
        below.told_{{ loop.index }} is distinct from here.told_{{ loop.index }}
        {{ 'or ' if not loop.last }}
        {%- endfor %}
        {{- 'or ' ~ in_rebuilt_span('coalesce(below.period_day, here.period_day)') if is_rebuilt() }}
{%- endmacro -%}
