{#-
    The published rows of a fact in each period that is computed in this run, as `period` and
    `period_start`: their hour where they are published by it, their day, ISO week and month. Rows that are not
    published take part only if `withheld` says so: for telling what is not shown from what is not.
-#}
{%- macro in_periods(relation, day, hour=none, withheld=false) -%}
{%- set changed = renewed_periods() if is_incremental() else none -%}
{%- set starts = period_starts({'day': day, 'hour': hour}, changed) -%}
    select * from (
        select
            {{ relation }}.*,
            kinds.period,
            case kinds.period
                {%- for period, start in starts.items() %}
                when '{{ period }}' then {{ start }}
                {%- endfor %}
            end as period_start
        from {{ relation }}
        cross join (
            {%- for period in starts %}
            select '{{ period }}' as period{{ ' union all' if not loop.last }}
            {%- endfor %}
        ) as kinds
        where
            {{ 'true' if withheld else relation ~ '.is_published' }}
            {%- if changed %}
            and {{ relation }}.{{ day }} between date '{{ changed.first }}' and date '{{ changed.last }}'
            {%- endif %}
    ) as placed
    where period_start is not null
{%- endmacro -%}

{#- Condition on a day: it is computed in this run. -#}
{%- macro is_changed_day(day) -%}
    {{ is_one_of(day, renewed_periods().day) if is_incremental() else 'true' }}
{%- endmacro -%}
