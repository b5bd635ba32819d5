{#-
    The published rows of a fact in each period that is computed in this run, as `period` and
    `period_start`: their hour where they are published by it, their day, ISO week and month. Rows that are not
    published take part only if `withheld` says so: for telling what is not shown from what is not.
    `told` maps columns to those that say the same of longer periods, by period; each is there as
    `told_<column>` then, and `is_published` among them says what takes part.
-#}
{%- macro in_periods(relation, day, hour=none, withheld=false, told={}) -%}
{%- set changed = renewed_periods() if is_incremental() else none -%}
{%- set starts = period_starts({'day': day, 'hour': hour}, changed) -%}
    select * from (
        select
            {{ relation }}.*,
            {%- for column in told %}
            {{ told_of_period(relation, column, told[column]) }} as told_{{ column }},
            {%- endfor %}
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
            {{ 'true' if withheld else told_of_period(relation, 'is_published', told.get('is_published', {})) }}
            {%- if changed %}
            and {{ relation }}.{{ day }} between date '{{ changed.first }}' and date '{{ changed.last }}'
            {%- endif %}
    ) as placed
    where period_start is not null
{%- endmacro -%}

{#- A column of the fact, or the one that says the same of the row's period. -#}
{%- macro told_of_period(relation, column, by_period) -%}
    {%- if by_period -%}
        case kinds.period
            {%- for period, other in by_period.items() %} when '{{ period }}' then {{ relation }}.{{ other }}{% endfor %}
            else {{ relation }}.{{ column }}
        end
    {%- else -%}
        {{ relation }}.{{ column }}
    {%- endif -%}
{%- endmacro -%}

{#- Condition on a day: it is computed in this run. -#}
{%- macro is_changed_day(day) -%}
    {{ is_one_of(day, renewed_periods().day) if is_incremental() else 'true' }}
{%- endmacro -%}

{#-
    The same days with the weeks and months that they are in, and `first` and `last` for the days
    that these reach over. A week or month that the layer below no longer holds whole is left alone.
-#}
{%- macro renewed_periods() -%}
    {%- set changed = {'day': [], 'week': [], 'month': [], 'first': '1970-01-01', 'last': '1970-01-01'} -%}
    {%- set found = run_query(compared_days(config.get('meta')['renews'])).rows -%}
    {%- set reach = config.get('meta')['renews'].get('reach', -1) -%}
    {%- set days = [] -%}
    {%- for row in found if row.is_renewed -%}
        {%- do days.append(row.period_day) -%}
        {%- for later in range(1, reach + 1) if row.period_day + modules.datetime.timedelta(days=later) <= row.last_below -%}
            {%- do days.append(row.period_day + modules.datetime.timedelta(days=later)) -%}
        {%- endfor -%}
        {%- if reach >= 0 and row.last_here -%}
            {%- for number in range((row.last_below - row.last_here).days) -%}
                {%- do days.append(row.last_below - modules.datetime.timedelta(days=number)) -%}
            {%- endfor -%}
        {%- endif -%}
    {%- endfor -%}
    {%- set row = found[0] if found else none -%}
    {%- for day in days | unique | sort -%}
        {%- set starts = {
            'day': day,
            'week': day - modules.datetime.timedelta(days=day.weekday()),
            'month': day.replace(day=1),
        } -%}
        {%- for period, start in starts.items() if start not in changed[period] -%}
            {%- if period == 'day' or not row.first_here or row.first_here >= row.first_below or start > row.first_below -%}
                {%- do changed[period].append(start) -%}
            {%- endif -%}
        {%- endfor -%}
    {%- endfor -%}
    {%- set every = changed.day + changed.week + changed.month -%}
    {%- if every -%}
        {%- do changed.update({'first': every | min, 'last': (every | max) + modules.datetime.timedelta(days=31)}) -%}
    {%- endif -%}
    {%- if is_rebuilt() -%}
        {%- do tell_days(this.identifier, changed.day, found | rejectattr('is_renewed') | map(attribute='period_day') | list) -%}
    {%- endif -%}
    {{ return(changed) }}
{%- endmacro -%}
