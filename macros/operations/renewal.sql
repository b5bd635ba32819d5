{#-
    Incremental strategy `renew`: in one transaction, forget the rows of this model that are out of
    date, and add what it computes. `meta.renews` says which those are:

      {'days': expression, 'below': model, 'day_below': expression, 'differ_by': 'labels'}
          the days that the layer below says something else about, by the time at which it labelled
          them (`labelled_at` there, `updated_at` here) or, with 'batches', by the rows of each
          batch. The model computes these days and no others: `is_renewed`.
      {'periods': expression, 'below': model, 'day_below': expression}
          these days of a mart of hours, days, weeks and months, and the weeks and months that they
          are in: `in_periods`. `period` says which a row is, the expression the day it starts on.
      {'weeks': expression, 'below': model, 'day_below': expression}
          all weeks that the layer below holds. Weeks before its first day are left alone, so it
          must expire in whole weeks.
      {'keys': column, 'arrivals': {table: model}}
          all that is known of a key of a bronze table that is told anew: arrivals hold every row of
          a key, so none is missing afterwards.
      {'facts': variable}
          the periods in which the facts of a list of models say something else: metric_renewal.sql.
      {'since': model, 'where': condition, 'told_by': expressions}
          everything from the first day on of which the model, as far as the condition goes, says
          something else: `is_since`. Days agree where the aggregate expressions do. For what looks
          back over earlier rows, and for copies that cost little. `day` and `day_below` say what a
          day is where it is not that of a `period_start`, `told_here` what is told here instead.
-#}

{#- Condition on the layer below: the model computes this day in this run. -#}
{%- macro is_renewed(day) -%}
    {{ is_one_of(day, renewed_days()) if is_incremental() else 'true' }}
{%- endmacro -%}

{#- Condition on the rows of this model: they are out of date. -#}
{%- macro is_out_of_date() -%}
    {%- set renews = config.get('meta')['renews'] -%}
    {%- if 'days' in renews -%}
        {{ is_one_of(renews['days'], renewed_days()) }}
    {%- elif 'periods' in renews -%}
        {%- set changed = renewed_periods() -%}
        case period
            when 'week' then {{ is_one_of(renews['periods'], changed.week) }}
            when 'month' then {{ is_one_of(renews['periods'], changed.month) }}
            else {{ is_one_of(renews['periods'], changed.day) }}
        end
    {%- elif 'weeks' in renews -%}
        {{ renews['weeks'] }} >= (
            select {{ iso_week('min(' ~ renews['day_below'] ~ ')') }} from {{ ref(renews['below']) }}
        )
    {%- elif 'facts' in renews -%}
        {{ are_changed_figures() }}
    {%- elif 'since' in renews -%}
        {{ is_since('period_start') }}
    {%- else -%}
        {%- for table, arrivals in renews['arrivals'].items() -%}
        (
            table_name = '{{ table }}'
            and {{ renews['keys'] }} in (
                select {{ renews['keys'] }} from {{ ref(arrivals) }} where verdict != 'kept'
            )
        )
        {{- ' or ' if not loop.last }}
        {%- endfor -%}
    {%- endif -%}
{%- endmacro -%}

{#- Constants, asked for beforehand: by these BigQuery skips the partitions of all other days. -#}
{%- macro is_one_of(day, days) -%}
    {%- if days -%}
        {{ day }} in (date '{{ days | join("', date '") }}')
    {%- else -%}
        false
    {%- endif -%}
{%- endmacro -%}

{#-
    The days that this model lacks, and those that it holds and the layer below says something else
    about, or has no more; `assay rebuild` adds those of its span. What the layer below no longer
    holds whole is always left alone: gold outlives silver by years.
-#}
{%- macro renewed_days() -%}
    {%- set found = run_query(compared_days(config.get('meta')['renews'])).rows -%}
    {%- set renewed = found | selectattr('is_renewed') | map(attribute='period_day') | list -%}
    {%- if is_rebuilt() -%}
        {%- set left_alone = found | rejectattr('is_renewed') | map(attribute='period_day') | list -%}
        {%- do tell_days(this.identifier, renewed, left_alone) -%}
    {%- endif -%}
    {{ return(renewed) }}
{%- endmacro -%}

{#-
    The same days with the weeks and months that they are in, and `first` and `last` for the days
    that these reach over. A week or month that the layer below no longer holds whole is left alone.
-#}
{%- macro renewed_periods() -%}
    {%- set changed = {'day': [], 'week': [], 'month': [], 'first': '1970-01-01', 'last': '1970-01-01'} -%}
    {%- set found = run_query(compared_days(config.get('meta')['renews'])).rows -%}
    {%- for row in found if row.is_renewed -%}
        {%- set day = row.period_day -%}
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

{#-
    The layer below expires from its oldest end, so its first day may be half of one where this
    model remembers an earlier day.
-#}
{%- macro compared_days(renews) -%}
    {%- set by_batch = renews.get('differ_by') == 'batches' -%}
    {%- set parts = ['period_day', 'batch_id'] if by_batch else ['period_day'] -%}
    {%- set key = parts | join(', ') -%}
    with

    below as (

        select
            {{ renews['day_below'] }} as period_day,
            {{ 'batch_id,' if by_batch }}
            {{ 'count(*)' if by_batch else 'max(labelled_at)' }} as version
        from {{ ref(renews['below']) }}
        group by {{ key }}

    ),

    here as (

        select
            {{ renews['days'] or renews['periods'] }} as period_day,
            {{ 'batch_id,' if by_batch }}
            {{ 'count(*)' if by_batch else 'max(updated_at)' }} as version
        from {{ this }}
        {{ "where period = 'day'" if renews['periods'] }}
        group by {{ key }}

    ),

    days as (

        select
            coalesce(below.period_day, here.period_day) as period_day,
            count(below.period_day) > 0 as is_below,
            count(here.period_day) > 0 as is_here,
            count(case when below.version = here.version then 1 end) < count(*) as differs
        from below
        full outer join here on {{ same('below', 'here', parts) }}
        group by coalesce(below.period_day, here.period_day)

    ),

    edges as (

        select
            *,
            min(case when is_below then period_day end) over () as first_below,
            min(case when is_here then period_day end) over () as first_here
        from days

    ),

    judged as (

        select
            period_day,
            first_below,
            first_here,
            not is_here
            or (
                (differs{{ ' or (is_below and ' ~ in_rebuilt_span('period_day') ~ ')' if is_rebuilt() }})
                and (
                    period_day > first_below
                    or (period_day = first_below and period_day = first_here)
                )
            ) as is_renewed
        from edges

    )

    select * from judged
    where is_renewed{{ ' or ' ~ in_rebuilt_span('period_day') if is_rebuilt() }}
    order by period_day
{%- endmacro -%}

{#- Condition that a period begins on the first day that differs, or later. -#}
{%- macro is_since(period_start) -%}
    {%- if not is_incremental() -%}
        {{ return('true') }}
    {%- endif -%}
    {%- set renews = config.get('meta')['renews'] -%}
    {%- set first_day = run_query(first_changed_day(renews)).columns[0].values()[0] -%}
    {{ return(renews.get('day', utc_day(period_start)) ~ " >= date '" ~ first_day ~ "'" if first_day else 'false') }}
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
