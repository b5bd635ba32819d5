{#-
    What a fact of `timed_blocks` tells may be told, recounted from its rows: every category of the
    day, every cell of the cube and what is only in the day beside them, and every span of time and
    what is only in the span around it, where the people of the hub are counted. And its labels are
    such that the spans and cells of a whole add up to it: all rows of a span have its label, and so
    have those of an hour of the cube. Says how many cells fail, never which.
-#}
{% test timed_blocks_pass(model, keys, region, categories, subject, time, weight=none, cube=[]) %}
{{ config(fail_calc='coalesce(sum(cells_that_fail), 0)') }}

{%- set amount = 'abs(' ~ weight ~ ')' if weight else '0' -%}
{%- set place = keys + [region] -%}
{%- set block = place + categories -%}
{%- set spans = {
    'told_hour': utc_hour(time), 'told_five_minutes': utc_minutes(time, 5), 'told_minute': utc_minutes(time, 1)
} -%}
{%- set cells = {
    'categories': {'by': block},
    'cube': {'by': block + ['cube_hour'] + cube, 'of': 'not is_hub'},
    'spans': {'by': place + spans.keys() | list, 'of': 'hours_told > 0', 'counted': 'is_hub'},
} -%}

with

published as (

    select
        *,
        {{ amount }} as staked,
        count(told_hour) over (partition by {{ place | join(', ') }}) as hours_told
    from {{ model }}
    where is_published

),

{% for kind, cell in cells.items() -%}
people_of_{{ kind }} as (

    select
        {{ cell['by'] | join(', ') }},
        {{ subject }} as person,
        sum(staked) as staked,
        sum(case when {{ cell.get('counted', 'true') }} then staked end) as counted
    from published
    where {{ cell.get('of', 'true') }}
    group by {{ cell['by'] | join(', ') }}, {{ subject }}

),

cells_of_{{ kind }} as (

    select
        {{ cell['by'] | join(', ') }},
        count(person) as people,
        count(case when counted is not null then person end) as people_counted,
        count(staked) as people_who_staked,
        max(staked) as largest,
        sum(counted) as counted
    from people_of_{{ kind }}
    group by {{ cell['by'] | join(', ') }}

),

failing_{{ kind }} as (

    select count(*) as cells_that_fail
    from cells_of_{{ kind }}
    where
        (people_counted < {{ var('k') }} or largest > counted - largest)
        and not (people_who_staked = 0 and people >= {{ var('k') }}{{ ' and false' if 'counted' in cell }})

),

{% endfor -%}
block_hubs as (

    select
        {{ block | join(', ') }},
        max(case when is_hub then 1 else 0 end) as hubs,
        count(distinct is_hub) as answers
    from published
    group by {{ block | join(', ') }}

),

places as (

    select
        {{ place | join(', ') }},
        max(answers) as answers,
        sum(hubs) as hubs
    from block_hubs
    group by {{ place | join(', ') }}

),

failing_hubs as (

    select count(*) as cells_that_fail from places
    where answers != 1 or hubs != 1

),

{% for told, start in spans.items() -%}
{{ told }}_labels as (

    select count({{ told }}) as rows_with_label, count(*) as row_total
    from published
    group by {{ place | join(', ') }}, {{ start }}

),

failing_{{ told }} as (

    select count(*) as cells_that_fail from {{ told }}_labels
    where rows_with_label not in (0, row_total)

),

{% endfor -%}
cube_hours as (

    select count(cube_hour) as rows_with_label, count(*) as row_total
    from published
    group by {{ block | join(', ') }}, {{ utc_hour(time) }}

),

failing_cube_hours as (

    select count(*) as cells_that_fail from cube_hours
    where rows_with_label not in (0, row_total)

),

failing_rows as (

    select count(*) as cells_that_fail
    from {{ model }}
    where
        (is_hub and cube_hour is not null)
        or cube_hour != {{ utc_hour(time) }}
        {%- for told, start in spans.items() %}
        or {{ told }} != {{ start }}
        {%- endfor %}
        or (told_minute is not null and told_five_minutes is null)
        or (told_five_minutes is not null and told_hour is null)
        or (not is_published and (is_hub or told_hour is not null or cube_hour is not null))
        or coalesce(told_granularity, 'none') != case
            when told_minute is not null then '1m'
            when told_five_minutes is not null then '5m'
            when told_hour is not null then '1h'
            when is_published then '1d'
            else 'none'
        end

)

{% for name in cells.keys() | list + ['hubs'] + spans.keys() | list + ['cube_hours', 'rows'] -%}
select cells_that_fail from failing_{{ name }} where cells_that_fail > 0
{{ 'union all' if not loop.last }}
{% endfor %}

{% endtest %}
