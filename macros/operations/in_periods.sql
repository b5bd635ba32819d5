{#-
    The published rows of a fact in each period that is computed in this run, as `period` and
    `period_start`: their hour where they are published by it, their day, ISO week and month.
-#}
{%- macro in_periods(relation, day, hour=none) -%}
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
            {{ relation }}.is_published
            {%- if changed %}
            and {{ relation }}.{{ day }} between date '{{ changed.first }}' and date '{{ changed.last }}'
            {%- endif %}
    ) as placed
    where period_start is not null
{%- endmacro -%}
