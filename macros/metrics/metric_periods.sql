{#-
    CTEs `known`, `hours` and `periods`: every period of a fact that is to be computed, from its
    first to its last known day. A period is complete once the fact is known beyond it.
-#}
{%- macro metric_periods(fact, changed) -%}
    known as (

        select
            min({{ fact.day }}) as first_day,
            max({{ fact.day }}) as last_day,
            max({{ fact.hour or 'cast(null as timestamp)' }}) as last_hour
        from {{ ref(fact.model) }}
        where is_published

    ),

    hours as (

        select
            hours.hour_start,
            {{ utc_day('hours.hour_start') }} as day_start,
            {{ iso_week(utc_day('hours.hour_start')) }} as week_start,
            {{ month_start(utc_day('hours.hour_start')) }} as month_start,
            known.last_hour,
            known.last_day,
            {{ iso_week('known.last_day') }} as last_week,
            {{ month_start('known.last_day') }} as last_month
        from {{ ref('int_metrics__hours') }} as hours
        cross join known
        where {{ utc_day('hours.hour_start') }} between known.first_day and known.last_day

    ),

    -- All hours of a day, of the last one as far as is known.
    periods as (

        {% if fact.hour -%}
        select
            'hour' as period,
            hour_start as period_start,
            day_start < last_day or hour_start < last_hour as is_complete
        from hours
        where (day_start < last_day or hour_start <= last_hour) and {{ is_changed('day_start', 'day', changed) }}
        union all
        {% endif -%}
        {%- for period in ['day', 'week', 'month'] -%}
        select
            '{{ period }}' as period,
            cast({{ period }}_start as timestamp) as period_start,
            {{ period }}_start < last_{{ period }} as is_complete
        from hours
        where {{ is_changed(period ~ '_start', period, changed) }}
        group by {{ period }}_start, last_{{ period }}
        {{ 'union all' if not loop.last }}
        {% endfor %}
    ),
{%- endmacro -%}

{#- The starts of the periods that a row of a fact is counted in, null where it is not. -#}
{%- macro period_starts(fact, changed=none) -%}
    {%- set starts = {} -%}
    {%- if fact.hour -%}
        {%- do starts.update({'hour': when_changed(fact.hour, fact.day, 'day', changed)}) -%}
    {%- endif -%}
    {%- for period, start in {'day': fact.day, 'week': iso_week(fact.day), 'month': month_start(fact.day)}.items() -%}
        {%- do starts.update({period: when_changed('cast(' ~ start ~ ' as timestamp)', start, period, changed)}) -%}
    {%- endfor -%}
    {{ return(starts) }}
{%- endmacro -%}

{%- macro when_changed(moment, start, period, changed) -%}
    {{ return('case when ' ~ is_changed(start, period, changed) ~ ' then ' ~ moment ~ ' end' if changed else moment) }}
{%- endmacro -%}

{#- Condition that a period is to be computed in this run. -#}
{%- macro is_changed(start, period, changed) -%}
    {{ return(is_one_of(start, changed[period]) if changed else 'true') }}
{%- endmacro -%}
