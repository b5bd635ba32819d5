{#-
    What `renew` means for the figures of many facts, in periods of every length.

    Per fact: the days that the figures lack, and those of which the fact says something else by
    now; the weeks and months that these are in; and, when a fact ends on another day than before,
    the day that was its last and the one that is. A week or month that the fact no longer holds
    whole is left alone, as is a day: gold outlives silver by years.
-#}
{%- macro changed_periods() -%}
    {%- set facts = metric_contract() -%}
    {%- set changed = {} -%}
    {%- for fact in facts -%}
        {%- do changed.update({fact.model: {'day': [], 'week': [], 'month': [], 'first': '1970-01-01', 'last': '1970-01-01'}}) -%}
    {%- endfor -%}
    {%- if not is_incremental() -%}
        {{ return({}) }}
    {%- endif -%}
    {%- set found = run_query(compared_facts(facts)).rows -%}
    {%- for fact in facts -%}
        {%- set days = found | selectattr('fact', 'equalto', fact.model) | list -%}
        {%- set renewed = days | selectattr('is_renewed') | list -%}
        {%- if renewed -%}
            {%- set starts = {
                'day': renewed | map(attribute='period_day') | list,
                'week': renewed | selectattr('is_week_whole') | map(attribute='week_start') | unique | list,
                'month': renewed | selectattr('is_month_whole') | map(attribute='month_start') | unique | list,
            } -%}
            {%- set every = starts.day + starts.week + starts.month -%}
            {%- do starts.update({'first': every | min, 'last': (every | max) + modules.datetime.timedelta(days=31)}) -%}
            {%- do changed.update({fact.model: starts}) -%}
        {%- endif -%}
        {%- if is_rebuilt() -%}
            {%- do tell_days(
                this.identifier ~ ' of ' ~ fact.model,
                renewed | map(attribute='period_day') | list,
                days | rejectattr('is_renewed') | map(attribute='period_day') | list
            ) -%}
        {%- endif -%}
    {%- endfor -%}
    {{ return(changed) }}
{%- endmacro -%}

{#- Condition on the figures: they are of a period that is to be computed. -#}
{%- macro are_changed_figures() -%}
    {%- set changed = changed_periods() -%}
    {%- for fact in metric_contract() -%}
        (
            metric_name in ('{{ fact.metrics | map(attribute="name") | join("', '") }}')
            and case granularity
                when 'week' then {{ is_one_of(utc_day('period_start'), changed[fact.model].week) }}
                when 'month' then {{ is_one_of(utc_day('period_start'), changed[fact.model].month) }}
                else {{ is_one_of(utc_day('period_start'), changed[fact.model].day) }}
            end
        )
        {{- ' or ' if not loop.last }}
    {%- endfor -%}
{%- endmacro -%}

{#- The days on which a fact and its figures differ. A day without rows is as old as itself. -#}
{%- macro compared_facts(facts) -%}
    {%- for fact in facts -%}
    select * from (
        with

        known as (

            select
                {{ fact.day }} as period_day,
                max(labelled_at) as version,
                max(case when is_published then 1 else 0 end) as is_shown
            from {{ ref(fact.model) }}
            where {{ 'true' if fact.metrics | selectattr('hidden') | list else 'is_published' }}
            group by {{ fact.day }}

        ),

        below as (

            select
                days.period_day,
                coalesce(known.version, cast(days.period_day as timestamp)) as version
            from (select distinct {{ utc_day('hour_start') }} as period_day from {{ ref('int_metrics__hours') }}) as days
            left join known on days.period_day = known.period_day
            where
                days.period_day >= (select min(period_day) from known where is_shown = 1)
                and days.period_day <= (select max(period_day) from known where is_shown = 1)

        ),

        here as (

            select
                {{ utc_day('period_start') }} as period_day,
                case when count(*) = {{ fact.metrics | length }} then max(updated_at) end as version
            from {{ this }}
            where
                granularity = 'day'
                and dimension = 'total'
                and metric_name in ('{{ fact.metrics | map(attribute="name") | join("', '") }}')
            group by {{ utc_day('period_start') }}

        ),

        edges as (

            select
                (select min({{ fact.day }}) from {{ ref(fact.model) }}) as first_below,
                (select max(period_day) from below) as last_below,
                (select min(period_day) from here) as first_here,
                (select max(period_day) from here) as last_here

        ),

        days as (

            select
                coalesce(below.period_day, here.period_day) as period_day,
                below.period_day is not null as is_below,
                here.period_day is null as is_new,
                coalesce(below.version = here.version, false) as is_same
            from below
            full outer join here on below.period_day = here.period_day

        ),

        judged as (

            select
                '{{ fact.model }}' as fact,
                days.period_day,
                {{ iso_week('days.period_day') }} as week_start,
                {{ month_start('days.period_day') }} as month_start,
                edges.first_here is null
                or edges.first_here >= edges.first_below
                or {{ iso_week('days.period_day') }} > edges.first_below as is_week_whole,
                edges.first_here is null
                or edges.first_here >= edges.first_below
                or {{ month_start('days.period_day') }} > edges.first_below as is_month_whole,
                days.is_new
                or (
                    (
                        not days.is_same
                        or (days.period_day in (edges.last_below, edges.last_here) and edges.last_below != edges.last_here)
                        {{- ' or (days.is_below and ' ~ in_rebuilt_span('days.period_day') ~ ')' if is_rebuilt() }}
                    )
                    and (
                        days.period_day > edges.first_below
                        or (days.period_day = edges.first_below and days.period_day = edges.first_here)
                    )
                ) as is_renewed
            from days
            cross join edges

        )

        select * from judged
        where is_renewed{{ ' or ' ~ in_rebuilt_span('period_day') if is_rebuilt() }}
    ) as {{ fact.model }}
    {{ 'union all' if not loop.last else 'order by fact, period_day' }}
    {% endfor %}
{%- endmacro -%}
