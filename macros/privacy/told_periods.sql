{#-
    CTEs, the last of which is `placed`: the rows of a relation with `told_period` and `told_start`,
    the period that they are told of. A cell of `keys` is told of the shortest period in which it has
    k people, counted without the rows that a shorter one tells; what none tells is left to the last.
    `periods` maps names to columns, each made of whole shorter ones. So a row is told once, and what
    is rare is told of a longer time and not at all of a shorter one.
-#}
{%- macro told_periods(relation, subject, periods, keys, k=none) -%}
{%- set names = periods.keys() | list -%}
{%- set state = namespace(relation=relation, not_yet='true') -%}
{%- for period in names[:-1] -%}
{%- set cell = keys + [periods[period]] -%}
{{ period }}_cells as (

    select {{ cell | join(', ') }}
    from {{ state.relation }}
    where {{ state.not_yet }}
    group by {{ cell | join(', ') }}
    having {{ is_large_enough(subject, k or var('k')) }}

),

by_{{ period }} as (

    select
        {{ state.relation }}.*,
        {{ period }}_cells.{{ periods[period] }} is not null and {{ state.not_yet }} as is_told_of_{{ period }}
    from {{ state.relation }}
    left join {{ period }}_cells
        on {{ same(state.relation, period ~ '_cells', cell) }}

),

{% set state.relation = 'by_' ~ period -%}
{%- set state.not_yet = ('' if loop.first else state.not_yet ~ ' and ') ~ 'not is_told_of_' ~ period -%}
{%- endfor -%}
placed as (

    select
        {{ state.relation }}.*,
        case
            {%- for period in names[:-1] %}
            when is_told_of_{{ period }} then '{{ period }}'
            {%- endfor %}
            else '{{ names[-1] }}'
        end as told_period,
        case
            {%- for period in names[:-1] %}
            when is_told_of_{{ period }} then {{ periods[period] }}
            {%- endfor %}
            else {{ periods[names[-1]] }}
        end as told_start
    from {{ state.relation }}

),
{%- endmacro -%}
