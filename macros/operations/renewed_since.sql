{#- Condition that a period begins on the first day that differs, or later. -#}
{%- macro is_since(period_start) -%}
    {%- if not is_incremental() -%}
        {{ return('true') }}
    {%- endif -%}
    {%- set renews = config.get('meta')['renews'] -%}
    {%- set first_day = run_query(first_changed_day(renews)).columns[0].values()[0] -%}
    {%- set day = renews.get('day', utc_day(period_start)) -%}
    {{ return(day ~ " >= date '" ~ first_day ~ "'" if first_day else 'false') }}
{%- endmacro -%}

{%- macro first_changed_day(renews) -%}
    {%- set day_below = renews.get('day_below', utc_day('period_start')) -%}
    {%- set day = renews.get('day', utc_day('period_start')) -%}
    with

    below as (

        select
            {{ day_below }} as period_day
            {%- for expression in renews['told_by'] %},
            {{ expression }} as told_{{ loop.index }}
            {%- endfor %}
        from {{ ref(renews['since']) }}
        where {{ renews['where'] }}
        group by {{ day_below }}

    ),

    here as (

        select
            {{ day }} as period_day
            {%- for expression in renews.get('told_here', renews['told_by']) %},
            {{ expression }} as told_{{ loop.index }}
            {%- endfor %}
        from {{ this }}
        group by {{ day }}

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
