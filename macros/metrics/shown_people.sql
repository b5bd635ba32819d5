{#- Distinct people of a cell, null where they are too few to be named. -#}
{%- macro shown_people(subject, condition='true') -%}
    {%- set people = 'count(distinct case when ' ~ condition ~ ' then ' ~ subject ~ ' end)' -%}
    case when {{ people }} >= {{ var('k') }} then {{ people }} end
{%- endmacro -%}

{#- Mean over the rows of a cell that have a value, null where too few people sent them. -#}
{%- macro shown_mean(value, subject) -%}
    case
        when count(distinct case when {{ value }} is not null then {{ subject }} end) >= {{ var('k') }}
            then avg(cast({{ value }} as float64))
    end
{%- endmacro -%}

{#- A number of people: none at all, or enough to be named; null in between. -#}
{%- macro none_or_enough(people) -%}
    case when {{ people }} = 0 or {{ people }} >= {{ var('k') }} then {{ people }} end
{%- endmacro -%}

{#- A number of people out of all, null where they or the others are too few to be named. -#}
{%- macro part_or_none(people, whole) -%}
    case
        when
            ({{ people }} = 0 or {{ people }} >= {{ var('k') }})
            and ({{ people }} = {{ whole }} or {{ whole }} - {{ people }} >= {{ var('k') }})
            then {{ people }}
    end
{%- endmacro -%}

{#-
    Rows of a cell that are a part of others of it: null where fewer than k people are behind them, or
    behind what they leave. Only of what no other mart tells: that less these would be the rest.
-#}
{%- macro shown_part(part, whole, subject) -%}
    {%- set rest = whole ~ ' and not coalesce(' ~ part ~ ', false)' -%}
    case
        when
            {% for rows in [part, rest] -%}
            (count(case when {{ rows }} then 1 end) = 0 or count(distinct case when {{ rows }} then {{ subject }} end) >= {{ var('k') }})
            {{ 'and ' if not loop.last }}
            {%- endfor %}
            then count(case when {{ part }} then 1 end)
    end
{%- endmacro -%}
