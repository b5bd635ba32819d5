{#-
    How models that keep whole days follow the layer below: a pre-hook forgets the days that are out
    of date, in the transaction of the model, and the model computes the days it does not have
    (`is_missing_day`). A run that dies in between leaves days missing, and the next one makes them.

    `assay rebuild` has the days of a span forgotten too (`is_rebuilt`). What the layer below no
    longer holds whole is always left alone.
-#}

{#-
    For a published fact: forget the days whose rows, counted by batch, are not those of its source.
    Rows that moved to another batch (a late batch held the earlier copy) are found as well. Days
    that have outlived the source are left alone.
-#}
{%- macro forget_relabelled_days(source, source_day, day) -%}
    {%- if is_incremental() %}
    {{ tell_rebuilt_days(source, source_day, day) }}
    delete from {{ this }}
    where ({{ day }} in (
        select coalesce(now_there.period_day, labelled.period_day)
        from (
            select {{ source_day }} as period_day, batch_id, count(*) as row_total
            from {{ source }}
            group by period_day, batch_id
        ) as now_there
        full outer join (
            select {{ day }} as period_day, batch_id, count(*) as row_total
            from {{ this }}
            group by period_day, batch_id
        ) as labelled
            on
                now_there.period_day = labelled.period_day
                and now_there.batch_id = labelled.batch_id
        where coalesce(now_there.row_total, 0) != coalesce(labelled.row_total, 0)
    ) {{ or_rebuilt(source, source_day, day) }})
    and {{ is_held(source, source_day, day) }}
    {%- endif -%}
{%- endmacro -%}

{#-
    For a mart: forget the days that its fact has labelled anew. `updated_at` of a mart's row is the
    time at which the fact labelled its day. Days that have outlived the fact are left alone: gold
    outlives silver by years.
-#}
{%- macro forget_stale_days(fact, fact_day, day) -%}
    {%- if is_incremental() %}
    {{ tell_rebuilt_days(fact, fact_day, day) }}
    delete from {{ this }}
    where ({{ day }} in (
        select built.period_day
        from (
            select {{ day }} as period_day, max(updated_at) as updated_at
            from {{ this }}
            group by period_day
        ) as built
        left join (
            select {{ fact_day }} as period_day, max(labelled_at) as labelled_at
            from {{ fact }}
            group by period_day
        ) as labelled on built.period_day = labelled.period_day
        where labelled.labelled_at is null or labelled.labelled_at != built.updated_at
    ) {{ or_rebuilt(fact, fact_day, day) }})
    and {{ is_held(fact, fact_day, day) }}
    {%- endif -%}
{%- endmacro -%}

{#-
    For a mart by the week: forget every week that its fact may still say something else about.
    Weeks before the first day of the fact are left alone, so silver must expire in whole weeks.
-#}
{%- macro forget_weeks(fact, fact_day, week) -%}
    {%- if is_incremental() %}
    delete from {{ this }}
    where {{ week }} >= (select {{ iso_week('min(' ~ fact_day ~ ')') }} from {{ fact }})
    {%- endif -%}
{%- endmacro -%}

{#- Condition on the layer below: the day is not in this model. -#}
{%- macro is_missing_day(source_day, day) -%}
    {%- if is_incremental() -%}
    {{ source_day }} not in (select {{ day }} from {{ this }})
    {%- else -%}
    true
    {%- endif -%}
{%- endmacro -%}

{#-
    Condition on a day of this model: the layer below holds it whole. It expires from its oldest end,
    so its first day may be half of one where this model remembers an earlier day.
-#}
{%- macro is_held(source, source_day, day) -%}
    (
        {{ day }} > (select min({{ source_day }}) from {{ source }})
        or (
            {{ day }} = (select min({{ source_day }}) from {{ source }})
            and {{ day }} = (select min({{ day }}) from {{ this }})
        )
    )
{%- endmacro -%}

{#- The rest of a condition: or the day is to be rebuilt, and can be. -#}
{%- macro or_rebuilt(source, source_day, day) -%}
    {%- if is_rebuilt() -%}
    or ({{ in_rebuilt_span(day) }} and {{ day }} in (select {{ source_day }} from {{ source }}))
    {%- endif -%}
{%- endmacro -%}

{#- Say which days of the span are made anew, and which stay as they are. -#}
{%- macro tell_rebuilt_days(source, source_day, day) -%}
    {%- if is_rebuilt() -%}
        {%- set below = run_query(
            'select distinct ' ~ source_day ~ ' as period_day from ' ~ source
            ~ ' where ' ~ in_rebuilt_span(source_day) ~ ' order by period_day'
        ).columns[0].values() -%}
        {%- set left_alone = run_query(
            'select distinct ' ~ day ~ ' as period_day from ' ~ this ~ ' where ' ~ in_rebuilt_span(day)
            ~ ' and not (' ~ is_held(source, source_day, day)
            ~ ' and ' ~ day ~ ' in (select ' ~ source_day ~ ' from ' ~ source ~ ')) order by period_day'
        ).columns[0].values() -%}
        {%- do tell_days(this.identifier, below, left_alone) -%}
    {%- endif -%}
{%- endmacro -%}
