{#-
    CTEs, the last of which is `blocks`: the rows of a relation with the labels under which they are
    published, by the time and by the category, so that nothing small follows from both together.
    docs/privacy.md has the proof. `keys` begin with the day, `categories` are nested.

      is_published        false for a cell of the keys that may not be told, which is told nowhere
      published_<label>   the region, and the categories within it; what is not told is Other
      is_hub              whether the row is of the category with the most people of its region
      told_granularity    1m, 5m, 1h or 1d: the finest span of time in which the row is told
      told_hour, told_five_minutes, told_minute
                          beginnings of the spans in which it is told, null where it is not
      cube_hour           the hour in which it is told by category too, else null; for the hub it is
      cube_<label>        the labels of `cube` within that hour

    Where there is a `weight`, its people are counted, and in nothing that is told does one of them
    have more than half of it, nor in a span more than half of what the hub has there. Rows whose
    weight is null are told with these, or k people of them alone, then not by the time.
-#}
{%- macro timed_blocks(relation, subject, keys, region, categories, time, weight=none, cube=[], k=none) -%}
{%- set amount = 'abs(' ~ relation ~ '.' ~ weight ~ ')' if weight else '0' -%}
{%- set moment = relation ~ '.' ~ time -%}
{%- set hour, five_minutes, minute = utc_hour(moment), utc_minutes(moment, 5), utc_minutes(moment, 1) -%}
{%- set cell = keys + [region] + categories -%}
{%- set place = keys + ['published_' ~ region] -%}
{%- set labels = ['published_' ~ region] -%}
{%- for category in categories -%}
    {%- do labels.append('published_' ~ category) -%}
{%- endfor -%}
{%- set block = keys + labels -%}
{%- set spans = {'hour_start': 'told_hour', 'five_minutes_start': 'told_five_minutes', 'minute_start': 'told_minute'} -%}
numbered_people as (

    select
        {{ subject }},
        row_number() over () as person
    from {{ relation }}
    where {{ subject }} is not null
    group by {{ subject }}

),

people_of_day as (

    select
        {% for column in cell -%}
        {{ relation }}.{{ column }},
        {% endfor -%}
        numbered_people.person,
        sum({{ amount }}) as weight,
        sum({{ amount }}) as counted
    from {{ relation }}
    left join numbered_people on {{ relation }}.{{ subject }} = numbered_people.{{ subject }}
    group by {% for column in cell %}{{ relation }}.{{ column }}, {% endfor %}numbered_people.person

),

people_of_keys as (

    select
        {{ keys | join(', ') }},
        person,
        sum(weight) as weight
    from people_of_day
    group by {{ keys | join(', ') }}, person

),

told_keys as (

    select {{ keys | join(', ') }}
    from people_of_keys
    group by {{ keys | join(', ') }}
    having {{ may_be_told('person', 'weight', 'weight', k) }}

),

published_people as (

    select people_of_day.*
    from people_of_day
    inner join told_keys on {{ same('people_of_day', 'told_keys', keys) }}

),

{{ told_labels('published_people', keys, [region] + categories, 'published', 'people_by_category', k) -}}
block_people as (

    select
        {{ block | join(', ') }},
        count(distinct case when weight is not null then person end) as people
    from people_by_category
    group by {{ block | join(', ') }}

),

numbered_blocks as (

    select
        {{ block | join(', ') }},
        dense_rank() over (order by {{ place | join(', ') }}) as place,
        row_number() over (order by {{ block | join(', ') }}) as block,
        row_number() over (
            partition by {{ place | join(', ') }}
            order by people desc, {{ block | join(', ') }}
        ) = 1 as is_hub
    from block_people

),

told_cells as (

    select distinct
        {{ (cell + labels) | join(', ') }}
    from people_by_category

),

labelled_cells as (

    select
        told_cells.*,
        numbered_blocks.place,
        numbered_blocks.block,
        numbered_blocks.is_hub
    from told_cells
    inner join numbered_blocks on {{ same('told_cells', 'numbered_blocks', block) }}

),

placed as (

    select
        labelled_cells.place,
        labelled_cells.block,
        labelled_cells.is_hub,
        {{ hour }} as hour_start,
        {{ five_minutes }} as five_minutes_start,
        {{ minute }} as minute_start,
        {%- for label in cube %}
        {{ relation }}.{{ label }},
        {%- endfor %}
        numbered_people.person,
        {{ amount }} as weight,
        case when labelled_cells.is_hub then {{ amount }} end as of_hub
    from {{ relation }}
    inner join labelled_cells on {{ same(relation, 'labelled_cells', cell) }}
    left join numbered_people on {{ relation }}.{{ subject }} = numbered_people.{{ subject }}

),

{%- set state = namespace(relation='placed', parent=['place']) -%}
{%- for start, told in spans.items() %}

{{ told_values(state.relation, state.parent, start, told, 'coalesce(weight, 0)', 'of_hub', k) }}

rows_of_{{ told }} as (

    select {{ state.relation }}.*
    from {{ state.relation }}
    inner join {{ told }} on {{ same(state.relation, told, state.parent + [start]) }}
    where {{ told }}.is_told

),
{%- set state.relation = 'rows_of_' ~ told -%}
{%- set state.parent = state.parent + [start] -%}
{%- endfor %}

minutes as (

    select distinct
        place,
        {{ spans.keys() | join(', ') }}
    from rows_of_told_hour

),

span_labels as (

    select
        minutes.place,
        minutes.minute_start,
        minutes.hour_start as told_hour,
        case when told_five_minutes.is_told then minutes.five_minutes_start end as told_five_minutes,
        case when told_minute.is_told then minutes.minute_start end as told_minute
    from minutes
    left join told_five_minutes
        on {{ same('minutes', 'told_five_minutes', ['place', 'hour_start', 'five_minutes_start']) }}
    left join told_minute
        on {{ same('minutes', 'told_minute', ['place', 'hour_start', 'five_minutes_start', 'minute_start']) }}

),

cube_rows as (

    select
        block,
        hour_start,
        {%- for label in cube %}
        {{ label }},
        {%- endfor %}
        person,
        weight
    from placed
    where not is_hub

),

{{ told_values('cube_rows', ['block'], 'hour_start', 'told_cube_hours', k=k) }}

rows_of_cube_hours as (

    select cube_rows.*
    from cube_rows
    inner join told_cube_hours on {{ same('cube_rows', 'told_cube_hours', ['block', 'hour_start']) }}
    where told_cube_hours.is_told

),

{{ told_labels('rows_of_cube_hours', ['block', 'hour_start'], cube, 'cube', 'rows_by_cube', k) -}}
cube_labels as (

    select distinct
        block,
        {%- for label in cube %}
        {{ label }},
        cube_{{ label }},
        {%- endfor %}
        hour_start as cube_hour
    from {{ 'rows_by_cube' if cube else 'rows_of_cube_hours' }}

),

blocks as (

    select
        {{ relation }}.*,
        labelled_cells.block is not null as is_published,
        {%- for label in labels %}
        coalesce(labelled_cells.{{ label }}, 'Other') as {{ label }},
        {%- endfor %}
        coalesce(labelled_cells.is_hub, false) as is_hub,
        case
            when span_labels.told_minute is not null then '1m'
            when span_labels.told_five_minutes is not null then '5m'
            when span_labels.told_hour is not null then '1h'
            when labelled_cells.block is not null then '1d'
        end as told_granularity,
        {%- for told in spans.values() %}
        span_labels.{{ told }},
        {%- endfor %}
        {%- for label in cube %}
        cube_labels.cube_{{ label }},
        {%- endfor %}
        cube_labels.cube_hour
    from {{ relation }}
    left join labelled_cells on {{ same(relation, 'labelled_cells', cell) }}
    left join span_labels
        on
            labelled_cells.place = span_labels.place
            and span_labels.minute_start = {{ minute }}
    left join cube_labels
        on
            labelled_cells.block = cube_labels.block
            and cube_labels.cube_hour = {{ hour }}
            {%- if cube %}
            and {{ same(relation, 'cube_labels', cube) }}
            {%- endif %}

),
{%- endmacro -%}
