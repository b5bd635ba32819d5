{#-
    CTEs, the last of which is `into`: for each value of a dimension within its parent whether it is
    told, that is a cell of its own. What is not told is the rest of its parent, and may be told too:

      - a value is told if its cell may be told (`may_be_told`);
      - if the rest may not be told, the smallest of these values joins it, if possible one that has
        a weight;
      - if it may not even then, since one person outweighs all others, no value is told: the rest is
        the whole parent.

    The relation has a `person`, who may be null and then weighs as one person, and a weight, null
    where a row has none; `counted` is what of it counts. Neither the parent nor the dimension may be
    null.
-#}
{%- macro told_values(relation, parent, dimension, into, weight='weight', counted='weight', k=none) -%}
{%- set partition = parent | join(', ') -%}
{{ into }}_people as (

    select
        {{ partition }},
        {{ dimension }},
        person,
        sum({{ weight }}) as weight,
        sum({{ counted }}) as counted
    from {{ relation }}
    group by {{ partition }}, {{ dimension }}, person

),

{{ into }}_cells as (

    select
        {{ partition }},
        {{ dimension }},
        count(weight) > 0 as has_weight,
        count(case when counted is not null then person end) as people,
        {{ may_be_told('person', 'weight', 'counted', k) }} as passes
    from {{ into }}_people
    group by {{ partition }}, {{ dimension }}

),

{{ into }}_ranked as (

    select
        *,
        row_number() over (
            partition by {{ partition }}, passes
            order by has_weight desc, people, {{ dimension }}
        ) as smallness,
        sum(case when passes then 0 else 1 end) over (partition by {{ partition }}) as failing
    from {{ into }}_cells

),

{{ into }}_rest_people as (

    select
        {% for column in parent -%}
        members.{{ column }},
        {% endfor -%}
        members.person,
        max(case when not ranked.passes then members.person end) as person_of_rest,
        sum(case when not ranked.passes then members.weight end) as weight,
        sum(case when not ranked.passes then members.counted end) as counted,
        sum(members.weight) as joined_weight,
        sum(members.counted) as joined_counted
    from {{ into }}_people as members
    inner join {{ into }}_ranked as ranked
        on {{ same('members', 'ranked', parent + [dimension]) }}
    where ranked.failing > 0 and (not ranked.passes or ranked.smallness = 1)
    group by {% for column in parent %}members.{{ column }}, {% endfor %}members.person

),

{{ into }}_rests as (

    select
        {{ partition }},
        {{ may_be_told('person_of_rest', 'weight', 'counted', k) }} as passes,
        {{ may_be_told('person', 'joined_weight', 'joined_counted', k) }} as passes_joined
    from {{ into }}_rest_people
    group by {{ partition }}

),

{{ into }} as (

    select
        {% for column in parent -%}
        ranked.{{ column }},
        {% endfor -%}
        ranked.{{ dimension }},
        ranked.passes and (
            ranked.failing = 0
            or coalesce(rests.passes, false)
            or (coalesce(rests.passes_joined, false) and ranked.smallness > 1)
        ) as is_told
    from {{ into }}_ranked as ranked
    left join {{ into }}_rests as rests
        on {{ same('ranked', 'rests', parent) }}

),
{%- endmacro -%}

{#-
    CTEs, the last of which is `into`: the relation with each of its `labels` as it is told within
    the parent and the labels before it, as `<prefix>_<label>`; what is not told is Other.
-#}
{%- macro told_labels(relation, parent, labels, prefix, into, k=none) -%}
{%- set state = namespace(relation=relation, parent=parent) -%}
{%- for label in labels -%}
{%- set told = into ~ '_' ~ label -%}
{{ told_values(state.relation, state.parent, label, told, k=k) }}

{{ into if loop.last else into ~ '_by_' ~ label }} as (

    select
        {{ state.relation }}.*,
        case when {{ told }}.is_told then {{ state.relation }}.{{ label }} else 'Other' end as {{ prefix }}_{{ label }}
    from {{ state.relation }}
    inner join {{ told }}
        on {{ same(state.relation, told, state.parent + [label]) }}

),

{% set state.relation = into ~ '_by_' ~ label -%}
{%- set state.parent = state.parent + [prefix ~ '_' ~ label] -%}
{%- endfor -%}
{%- endmacro -%}
