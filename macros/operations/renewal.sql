{#-
    Incremental strategy `renew`: in one transaction, forget the rows of this model that are out of
    date, and add what it computes. `meta.renews` says which those are:

      {'days': expression, 'below': model, 'day_below': expression, 'differ_by': 'labels'}
          the days that the layer below says something else about, by the time at which it labelled
          them (`labelled_at` there, `updated_at` here) or, with 'batches', by the rows of each
          batch, or by those of each value of the columns that a list names. With 'rows', the rows
          themselves are compared, all columns but `updated_at`; `known` names a model of the days of
          which there may be none below, as all others that are not there have expired. The model
          computes these days and no others: `is_renewed`. With a `reach`, what a day says depends on
          days before it: the six days after one that is renewed are renewed too (`week`), so many as
          a number says, the next month (`month`), or the same day of all later years (`years`).
      {'days': expression, 'below': model, 'day_below': expression, 'told_by': expressions,
       'told_here': expressions}
          the same, where these aggregates of a day's rows differ: there, and here.
      {'days': expression, 'below': model, 'day_below': expression}
          all days that the layer below holds, which must hold none in part.
      {'periods': expression, 'below': model, 'day_below': expression}
          these days of a mart of hours, days, weeks and months, and the weeks and months that they
          are in: renewed_periods.sql.
      {'batches': model}
          the batches that the model names, with the day on which they landed (`landed_on`). Of
          bronze all of these days is read: `is_renewed`.
      {'weeks': expression, 'below': model, 'day_below': expression}
          all weeks that the layer below holds. Weeks before its first day are left alone, so it
          must expire in whole weeks.
      {'keys': column, 'arrivals': {table: model}}
          all that is known of a key of a bronze table that is told anew: arrivals hold every row of
          a key, so none is missing afterwards.
      {'told_anew': expressions}
          all rows of the keys of which the model computes any: told_anew.sql.
      {'events': model}
          all rows of the events that these arrivals keep anew, and the model reads.
      {'facts': variable}
          the periods in which the facts of a list of models say something else: metric_renewal.sql.
      {'since': model, 'where': condition, 'told_by': expressions}
          everything from the first day on of which the model, as far as the condition goes, says
          something else: renewed_since.sql. Days agree where the aggregate expressions do. For what
          looks back over earlier rows, and for copies that cost little. `day` and `day_below` say
          what a day is where it is not that of a `period_start`, `told_here` what is told here
          instead.
-#}

{#- Condition on the layer below: the model computes this day in this run. -#}
{%- macro is_renewed(day) -%}
    {{ is_one_of(day, renewed_days()) if is_incremental() else 'true' }}
{%- endmacro -%}

{#- Condition on the rows of this model: they are out of date. -#}
{%- macro is_out_of_date(computed) -%}
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
    {%- elif 'told_anew' in renews -%}
        {%- set key = '(' ~ renews['told_anew'] | join(', ') ~ ')' -%}
        {{ key }} in (select {{ key }} from {{ computed }})
    {%- elif 'events' in renews -%}
        event_id in (select event_id from {{ ref(renews['events']) }} where verdict = 'kept' and is_new)
    {%- elif 'batches' in renews -%}
        batch_id in (select batch_id from {{ ref(renews['batches']) }})
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
    {%- set renews = config.get('meta')['renews'] -%}
    {%- if 'batches' in renews -%}
        {{ return(run_query(
            'select distinct landed_on from ' ~ ref(renews['batches']) ~ ' order by landed_on'
        ).columns[0].values()) }}
    {%- elif 'told_by' in renews or renews.get('differ_by') not in ['rows', none] -%}
        {%- set question = compared_days(renews) -%}
    {%- else -%}
        {%- set question = days_below(renews) -%}
    {%- endif -%}
    {%- set found = run_query(question).rows -%}
    {%- set renewed = found | selectattr('is_renewed') | map(attribute='period_day') | list -%}
    {%- if 'reach' in renews and renewed -%}
        {%- set renewed = with_later_days(renewed, renews['reach'], found[0].last_below) -%}
    {%- endif -%}
    {%- if is_rebuilt() -%}
        {%- set left_alone = found | rejectattr('is_renewed') | map(attribute='period_day') | list -%}
        {%- do tell_days(this.identifier, renewed, left_alone) -%}
    {%- endif -%}
    {{ return(renewed) }}
{%- endmacro -%}

{#- Days, and those after them, up to the last, that look back on them. -#}
{%- macro with_later_days(days, reach, last) -%}
    {%- set found = days | list -%}
    {%- for day in days if last -%}
        {%- if reach == 'week' -%}
            {%- for number in range(1, 7) -%}
                {%- do found.append(day + modules.datetime.timedelta(days=number)) -%}
            {%- endfor -%}
        {%- elif reach is number -%}
            {%- for number in range(1, reach + 1) -%}
                {%- do found.append(day + modules.datetime.timedelta(days=number)) -%}
            {%- endfor -%}
        {%- elif reach == 'month' -%}
            {%- do found.append((day.replace(day=28) + modules.datetime.timedelta(days=4)).replace(day=1)) -%}
        {%- else -%}
            {%- for year in range(day.year + 1, last.year + 1) -%}
                {%- do found.append(day.replace(year=year)) -%}
            {%- endfor -%}
        {%- endif -%}
    {%- endfor -%}
    {%- set later = [] -%}
    {%- for day in found | unique | sort if day in days or day <= last -%}
        {%- do later.append(day) -%}
    {%- endfor -%}
    {{ return(later) }}
{%- endmacro -%}

{#-
    The layer below expires from its oldest end, so its first day may be half of one where this
    model remembers an earlier day. Days that `assay retain` has taken away may come back in part,
    with rows that arrive late.
-#}
{%- macro compared_days(renews) -%}
    {%- set differ_by = renews.get('differ_by', 'labels') -%}
    {%- set parted_by = {'labels': [], 'batches': ['batch_id']}[differ_by] if differ_by is string else differ_by -%}
    {%- set parts = ['period_day'] + parted_by -%}
    {%- set told_below = renews.get('told_by', ['count(*)' if parted_by else 'max(labelled_at)']) -%}
    {%- set told_here = renews.get('told_here', ['count(*)' if parted_by else 'max(updated_at)']) -%}
    {%- set key = parts | join(', ') -%}
    {%- set expired = expired_to() -%}
    with

    below as (

        select
            {{ renews['day_below'] }} as period_day,
            {% for column in parted_by %}{{ column }}, {% endfor -%}
            {{ version_of(told_below) }} as version
        from {{ ref(renews['below']) }}
        group by {{ key }}

    ),

    here as (

        select
            {{ renews['days'] or renews['periods'] }} as period_day,
            {% for column in parted_by %}{{ column }}, {% endfor -%}
            {{ version_of(told_here) }} as version
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
            {%- set first_below = 'min(case when is_below then period_day end) over ()' %}
            {%- if expired %}
                {%- set whole = "is_below and period_day > date '" ~ expired ~ "'" %}
                {%- set first_below = 'coalesce(min(case when ' ~ whole ~ " then period_day end) over (), date '" ~ expired ~ "')" %}
            {%- endif %}
            {{ first_below }} as first_below,
            min(case when is_here then period_day end) over () as first_here,
            max(case when is_below then period_day end) over () as last_below,
            max(case when is_here then period_day end) over () as last_here
        from days

    ),

    judged as (

        select
            period_day,
            first_below,
            first_here,
            last_below,
            last_here,
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

{#- One value of several aggregates, which is another one where any of them is. -#}
{%- macro version_of(aggregates) -%}
    {%- if aggregates | length == 1 -%}
        {{ aggregates[0] }}
    {%- else -%}
        {%- for aggregate in aggregates -%}
            cast({{ aggregate }} as string){{ " || ' ' || " if not loop.last }}
        {%- endfor -%}
    {%- endif -%}
{%- endmacro -%}

{#- The same for a layer below that holds no day in part: what it does not hold has expired. -#}
{%- macro days_below(renews) -%}
    {%- set is_compared = renews['differ_by'] == 'rows' -%}
    {%- if is_compared -%}
        {%- set names = adapter.get_columns_in_relation(this) | map(attribute='name') -%}
        {%- set columns = names | reject('equalto', 'updated_at') | join(', ') -%}
    {%- endif -%}
    with

    below as (

        select distinct {{ renews['day_below'] }} as period_day from {{ ref(renews.get('known', renews['below'])) }}

    ),

    here as (

        select distinct {{ renews['days'] }} as period_day from {{ this }}

    ),

    differing as (

        select distinct {{ renews['days'] if is_compared else 'period_day' }} as period_day
        from {{ '(' ~ rows_that_differ(renews, columns) ~ ') as other_rows' if is_compared else 'below' }}

    ),

    judged as (

        select
            coalesce(below.period_day, here.period_day) as period_day,
            below.period_day is not null
            and (differing.period_day is not null{{ ' or ' ~ in_rebuilt_span('below.period_day') if is_rebuilt() }})
                as is_renewed
        from below
        full outer join here on below.period_day = here.period_day
        left join differing on below.period_day = differing.period_day

    )

    select * from judged
    where is_renewed{{ ' or ' ~ in_rebuilt_span('period_day') if is_rebuilt() }}
    order by period_day
{%- endmacro -%}

{#- Rows that only one of the two has. -#}
{%- macro rows_that_differ(renews, columns) -%}
    (select {{ columns }} from {{ ref(renews['below']) }} except distinct select {{ columns }} from {{ this }})
    union all
    (select {{ columns }} from {{ this }} except distinct select {{ columns }} from {{ ref(renews['below']) }})
{%- endmacro -%}

{#- The last day that `assay retain` has taken away of silver, none where it has not. -#}
{%- macro expired_to() -%}
    {%- set kept = adapter.get_relation(target.database, target.schema, 'retained') if execute -%}
    {{ return(run_query('select expired_to from ' ~ kept).columns[0].values()[0] if kept else none) }}
{%- endmacro -%}
