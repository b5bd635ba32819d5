{#-
    CTEs, the last of which is `classes`: the rows of a relation, each at the finest level of a
    lattice at which k people share its values, as `published_<label>`, `gen_level` and
    `is_published`.

    `levels` are lists of columns, finest first, all as long as `labels`, which they are told as. At
    each level a class is counted over the rows that no finer one has placed, within `keys`. So a
    class that lacks some is a remainder, and what was coarsened in its labels says so: 'NY (other)'.
    What no level places is Other, one level more. If Other fails, the smallest class of the coarsest
    level in use joins it, which is enough; if there is none, these `keys` are published nowhere.
    Null is told as unknown; no key may be null.
-#}
{%- macro k_generalize(relation, subject, keys, levels, labels, k=none, into='classes') -%}
{%- set k = k or var('k') -%}
{%- set prefix = '' if into == 'classes' else into ~ '_' -%}
{%- set depth = levels | length -%}
{%- if levels | map('length') | unique | list != [labels | length] -%}
    {{ exceptions.raise_compiler_error('k_generalize: every level must have one column for each label') }}
{%- endif -%}
{{ prefix }}placed_by_0 as (

    select
        *,
        {% for column in levels | sum(start=[]) | unique -%}
        coalesce(cast({{ column }} as string), 'unknown') as told_{{ column }},
        {% endfor -%}
        cast(null as int64) as level_0
    from {{ relation }}

),

{% for level in levels -%}
{%- set n = loop.index -%}
{%- set before = prefix ~ 'placed_by_' ~ (n - 1) -%}
{%- set cell = keys + (level | map('replace', '', 'told_', 1) | list) -%}
{{ prefix }}classes_of_{{ n }} as (

    select
        {{ cell | join(', ') }},
        count(distinct case when level_{{ n - 1 }} is null then {{ subject }} end) >= {{ k }} as passes,
        count(level_{{ n - 1 }}) > 0 as lacks_some
    from {{ before }}
    group by {{ cell | join(', ') }}

),

{{ prefix }}placed_by_{{ n }} as (

    select
        {{ before }}.*,
        coalesce(level_{{ n - 1 }}, case when passes then {{ n }} end) as level_{{ n }},
        lacks_some as is_rest_{{ n }}
    from {{ before }}
    inner join {{ prefix }}classes_of_{{ n }}
        on {{ same(before, prefix ~ 'classes_of_' ~ n, cell) }}

),

{% endfor -%}
{%- set class = keys + ['level_' ~ depth] -%}
{{ prefix }}labelled as (

    select
        *,
        {% for label in labels -%}
        {%- set position = loop.index0 -%}
        {%- do class.append('class_' ~ label) -%}
        case level_{{ depth }}
            {%- for level in levels %}
            when {{ loop.index }} then told_{{ level[position] }}
                {%- if level[position] != levels[0][position] %}
                || case when is_rest_{{ loop.index }} then ' (other)' else '' end
                {%- endif %}
            {%- endfor %}
        end as class_{{ label }}{{ ',' if not loop.last }}
        {% endfor -%}
    from {{ prefix }}placed_by_{{ depth }}

),

{{ prefix }}leftovers as (

    select
        {{ keys | join(', ') }},
        max(level_{{ depth }}) as coarsest_level,
        count(*) > count(level_{{ depth }})
        and count(distinct case when level_{{ depth }} is null then {{ subject }} end) < {{ k }} as other_fails
    from {{ prefix }}labelled
    group by {{ keys | join(', ') }}

),

{{ prefix }}class_sizes as (

    select
        {{ class | join(', ') }},
        count(distinct {{ subject }}) as people,
        count(*) as row_total
    from {{ prefix }}labelled
    group by {{ class | join(', ') }}

),

{{ prefix }}ranked as (

    select
        *,
        row_number() over (
            partition by {{ class[:keys | length + 1] | join(', ') }}
            order by people, row_total, {{ class[keys | length + 1:] | join(', ') }}
        ) as smallness
    from {{ prefix }}class_sizes

),

{{ prefix }}repaired as (

    select
        {{ prefix }}labelled.*,
        not other_fails or coarsest_level is not null as is_published,
        case
            when other_fails and {{ prefix }}ranked.level_{{ depth }} = coarsest_level and smallness = 1 then {{ depth + 1 }}
            else coalesce({{ prefix }}ranked.level_{{ depth }}, {{ depth + 1 }})
        end as gen_level
    from {{ prefix }}labelled
    inner join {{ prefix }}leftovers
        on {{ same(prefix ~ 'labelled', prefix ~ 'leftovers', keys) }}
    left join {{ prefix }}ranked
        on {{ same(prefix ~ 'labelled', prefix ~ 'ranked', class) }}

),

{{ into }} as (

    select
        *
        {%- for label in labels %},
        case when gen_level <= {{ depth }} then class_{{ label }} else 'Other' end as published_{{ label }}
        {%- endfor %}
    from {{ prefix }}repaired

),
{%- endmacro -%}
