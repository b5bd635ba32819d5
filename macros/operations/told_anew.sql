{#-
    For a model that keeps what is known of a thing from several events, and reads a thing anew once
    an event of it comes in: the events of a batch that it does not know. A batch is known once the
    model has a row of it, so a build that was cut off is made up for by the next.
-#}

{#- Query for the batches of which the model has a row; `columns` of it name those of a row. -#}
{%- macro known_batches(columns) -%}
    {%- for column in columns -%}
    select {{ column }} as batch_id
    from {{ this }}
    where {{ column }} is not null
    {{- ' union distinct ' if not loop.last }}
    {%- endfor -%}
{%- endmacro -%}

{#- Condition on an event that is joined with `known`: it is news, or of a day that is rebuilt. -#}
{%- macro is_news(day) -%}
    known.batch_id is null
    {{- ' or ' ~ in_rebuilt_span(day) if is_rebuilt() }}
{%- endmacro -%}

{#-
    Condition on events: their day is one on which anything happened to a thing that is read anew.
    Constants, asked for beforehand: by these BigQuery skips the partitions of all other days.
-#}
{%- macro is_of_days_told_anew(events, where, thing, known) -%}
    {%- if not is_incremental() -%}
        {{ return('true') }}
    {%- endif -%}
    {%- set question -%}
        with

        told as (

            select
                batch_id,
                {{ thing }} as thing,
                {{ utc_day('occurred_at') }} as told_on
            from {{ events }}
            where {{ where }}

        ),

        known as (

            {{ known }}

        ),

        things_with_news as (

            select distinct told.thing
            from told
            left join known on told.batch_id = known.batch_id
            where {{ is_news('told.told_on') }}

        )

        select distinct told.told_on
        from told
        inner join things_with_news on told.thing = things_with_news.thing
        order by told.told_on
    {%- endset -%}
    {{ return(is_one_of(utc_day('occurred_at'), run_query(question).columns[0].values())) }}
{%- endmacro -%}
