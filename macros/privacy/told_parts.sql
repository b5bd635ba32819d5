{#-
    CTEs, the last of which is `into`: the published rows of a relation with `<outcome>_level`, which
    says how finely their outcome may be told: in the class of which of the `levels`, or 0, nowhere.

    `levels` are lists of columns, coarsest first; each level is split by those of all before it and
    its own. A class passes where each of the `values`, which are conditions, is true of nobody in it
    or of k people, and none of those in `alike` of more than alike_percent of its rows. What passes
    of the first level is split by the next one, and so on. The cells that do not pass are one rest,
    which stays a class of its level. If the rest does not pass, the smallest cell joins it with
    which it does; where there is none, the class is not split.

    So each row is in one class that passes, and a sum over whole classes has nobody or k people of
    each value, whatever sums are set against each other. Cutting from the top keeps the long periods
    whole: from the bottom, the few rows that pass nowhere would hide all that they are in.

    `within` maps names to more values, and makes a `<name>_level` of each: that of the outcome where
    they pass in the class too, else 0.
-#}
{%- macro told_parts(relation, outcome, values, levels, subject, into, alike=[], within={}, k=none) -%}
{%- set k = k or var('k') -%}
{%- set state = namespace(relation=relation, parent=[]) -%}
{%- set level = outcome ~ '_level' -%}
{%- for columns in levels -%}
{%- set before = loop.index0 -%}
{%- set step = outcome ~ '_' ~ loop.index -%}
{%- set cell = state.parent + columns -%}
{%- set is_open = 'is_published' if loop.first else level ~ '_' ~ before ~ ' = ' ~ before -%}
{{ step }}_counts as (

    select
        {{ cell | join(', ') }},
        {{ counts_of_values(values, alike, subject) }}
    from {{ state.relation }}
    where {{ is_open }}
    group by {{ cell | join(', ') }}

),

{{ step }}_cells as (

    select
        *,
        {{ values_pass(values, alike, k) }} as passes
    from {{ step }}_counts

),

{% if loop.first -%}
{{ step }} as (

    select
        {{ state.relation }}.*,
        case when {{ step }}_cells.passes then 1 else 0 end as {{ level }}_1
    from {{ state.relation }}
    left join {{ step }}_cells
        on
            {{ same(state.relation, step ~ '_cells', cell) }}
            and {{ state.relation }}.is_published

),

{% else -%}
{{ step }}_rest_counts as (

    select
        {{ qualified(state.relation, state.parent) }},
        {{ counts_of_values(values, alike, subject) }}
    from {{ state.relation }}
    inner join {{ step }}_cells on {{ same(state.relation, step ~ '_cells', cell) }}
    where {{ is_open }} and not {{ step }}_cells.passes
    group by {{ qualified(state.relation, state.parent) }}

),

{{ step }}_rests as (

    select
        *,
        {{ values_pass(values, alike, k) }} as passes
    from {{ step }}_rest_counts

),

{{ step }}_joining as (

    select
        {{ qualified(step ~ '_cells', cell) }},
        row_number() over (
            partition by {{ qualified(step ~ '_cells', state.parent) }}
            order by {{ step }}_cells.row_total, {{ qualified(step ~ '_cells', columns) }}
        ) as smallness
    from {{ step }}_cells
    inner join {{ step }}_rests on {{ same(step ~ '_cells', step ~ '_rests', state.parent) }}
    where
        {{ step }}_cells.passes
        and not {{ step }}_rests.passes
        and {{ values_pass_together(step ~ '_rests', step ~ '_cells', values, alike, k) }}

),

{{ step }}_joined as (

    select * from {{ step }}_joining
    where smallness = 1

),

{{ step }} as (

    select
        {{ state.relation }}.*,
        case
            when
                {{ is_open }}
                and {{ step }}_cells.passes
                and (
                    coalesce({{ step }}_rests.passes, true)
                    or not ({{ same(step ~ '_cells', step ~ '_joined', columns) }})
                )
                then {{ loop.index }}
            else {{ level }}_{{ before }}
        end as {{ level }}_{{ loop.index }}
    from {{ state.relation }}
    left join {{ step }}_cells
        on {{ same(state.relation, step ~ '_cells', cell) }}
    left join {{ step }}_rests
        on {{ same(state.relation, step ~ '_rests', state.parent) }}
    left join {{ step }}_joined
        on {{ same(state.relation, step ~ '_joined', state.parent) }}

),

{% endif -%}
{%- set state.relation = step -%}
{%- set state.parent = cell -%}
{%- endfor -%}
{%- set last = level ~ '_' ~ levels | length %}
{{ into }} as (

    select
        *,
        cast({{ last }} as int64) as {{ level }}
        {%- for name, more in within.items() %},
        case
            when
                {% for value in more -%}
                {%- set people = 'count(distinct case when ' ~ value ~ ' then ' ~ subject ~ ' end) over of_class' -%}
                ({{ people }} = 0 or {{ people }} >= {{ k }})
                {{ 'and ' if not loop.last }}
                {%- endfor %}
                then cast({{ last }} as int64)
            else cast(0 as int64)
        end as {{ name }}_level
        {%- endfor %}
    from {{ state.relation }}
    {%- if within %}
    window of_class as (
        partition by
            {{ last }}
            {%- for columns in levels %}
            {%- set depth = loop.index %}
            {%- for column in columns %},
            case when {{ last }} >= {{ depth }} then {{ column }} end
            {%- endfor %}
            {%- endfor %}
    )
    {%- endif %}

),
{%- endmacro -%}

{#- People of each value, rows of each condition that must not be that of nearly all, and all rows. -#}
{%- macro counts_of_values(values, alike, subject) -%}
    {%- for value in values -%}
        count(distinct case when {{ value }} then {{ subject }} end) as people_{{ loop.index }},
        {% endfor -%}
    {%- for condition in alike -%}
        count(case when {{ condition }} then 1 end) as alike_{{ loop.index }},
        {% endfor -%}
    count(*) as row_total
{%- endmacro -%}

{#- Condition over these counts: a class may be told. -#}
{%- macro values_pass(values, alike, k) -%}
    {%- for _ in values -%}
        (people_{{ loop.index }} = 0 or people_{{ loop.index }} >= {{ k }})
        {{- ' and ' if not loop.last or alike }}
    {%- endfor -%}
    {%- for _ in alike -%}
        100 * alike_{{ loop.index }} <= {{ var('alike_percent') }} * row_total
        {{- ' and ' if not loop.last }}
    {%- endfor -%}
{%- endmacro -%}

{#- The same of a rest and a cell that passes: what the rest has too few of, the cell has. -#}
{%- macro values_pass_together(rest, cell, values, alike, k) -%}
    {%- for _ in values %}
        {{ 'and ' if not loop.first -}}
        ({{ rest }}.people_{{ loop.index }} = 0 or {{ rest }}.people_{{ loop.index }} >= {{ k }} or {{ cell }}.people_{{ loop.index }} > 0)
    {%- endfor %}
    {%- for _ in alike %}
        and 100 * ({{ rest }}.alike_{{ loop.index }} + {{ cell }}.alike_{{ loop.index }})
        <= {{ var('alike_percent') }} * ({{ rest }}.row_total + {{ cell }}.row_total)
    {%- endfor %}
{%- endmacro -%}

{#- Columns with the name of their relation. -#}
{%- macro qualified(relation, columns) -%}
    {%- for column in columns -%}
        {{ relation }}.{{ column }}{{ ', ' if not loop.last }}
    {%- endfor -%}
{%- endmacro -%}
