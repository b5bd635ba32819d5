{#-
    Query for an ordered funnel over the events of a relation. docs/funnels.md says what counts.

    Every event of step 1 begins a try, from which the window runs, its end included. A try comes as
    far as distinct events allow, one for each step, none of them before that of the step before. A
    step is `{name, event, condition}`: the event's type, a condition on its row, or both. All events
    of a try agree in the `keys`, which like subject, time and id are columns, and never null.

    What comes out is said by `per`:
      step    a row per group of keys and step: step, name, people, rate (to step 1)
      person  a row per group and person who tried: furthest_step, of any try
      try     a row per group, person and moment of step 1: tried_at, furthest_step
-#}
{%- macro funnel(
    relation, subject, time, id, steps, window_seconds, keys=[], where='true', begun_from=none,
    begun_before=none, event='event_type', per='step'
) -%}
{%- if per not in ['step', 'person', 'try'] -%}
    {{ exceptions.raise_compiler_error('funnel: per is step, person or try, and not ' ~ per) }}
{%- endif -%}
{%- set group = keys | join(', ') ~ (', ' if keys else '') -%}
{%- set same_person = group ~ subject -%}
{%- set sets = steps_that_share_events(steps) -%}
    with

    funnel_events as (

        select
            {{ same_person }},
            {{ time }},
            {{ id }},
            {% for step in steps -%}
            {{ is_of_step(step, event) }} as is_step_{{ loop.index }}{{ ',' if not loop.last }}
            {% endfor %}
        from {{ relation }}
        where
            ({{ where }})
            and {{ subject }} is not null
            {%- if begun_from %}
            and {{ time }} >= {{ begun_from }}
            {%- endif %}

    ),

    -- How many events of a moment fit any of some steps.
    funnel_moments as (

        select
            {{ same_person }},
            {{ time }},
            {% for members in sets -%}
            count({{ 'distinct ' if members | length > 1 }}case when is_step_{{ members | join(' or is_step_') }} then {{ id }} end) as fit_{{ members | join('_') }}{{ ',' if not loop.last }}
            {% endfor %}
        from funnel_events
        where is_step_{{ range(1, steps | length + 1) | join(' or is_step_') }}
        group by {{ same_person }}, {{ time }}

    ),

    -- Whether they can serve steps in a row, each event one: they can if, of these steps, no few
    -- have fewer events among them than they are (Hall's theorem).
    funnel_from_{{ steps | length + 1 }} as (

        select
            *,
            {% for first in range(1, steps | length + 1) -%}
            {% set outer = loop -%}
            {% for last in range(first, steps | length + 1) -%}
            {% for members in sets if members[0] >= first and members[-1] <= last -%}
            {{ 'and ' if not loop.first }}fit_{{ members | join('_') }} >= {{ members | length }}{{ ' ' }}
            {%- endfor -%}
            as serve_{{ first }}_{{ last }}{{ ',' if not (loop.last and outer.last) }}
            {% endfor -%}
            {% endfor %}
        from funnel_moments

    ),

    {% for first in range(steps | length, 1, -1) -%}
    -- When, after a moment, the steps from {{ first }} to a later one are taken at the earliest.
    funnel_from_{{ first }} as (

        select
            *,
            {% for last in range(first, steps | length + 1) -%}
            min({{ taken_at_the_earliest(first, last, time) }}) over (
                partition by {{ same_person }}
                order by {{ time }}
                rows between 1 following and unbounded following
            ) as from_{{ first }}_to_{{ last }}{{ ',' if not loop.last }}
            {% endfor %}
        from funnel_from_{{ first + 1 }}

    ),

    {% endfor -%}
    funnel_tries as (

        select
            {{ same_person }},
            {{ time }} as tried_at,
            cast(1
            {%- for last in range(2, steps | length + 1) %}
            + case when {{ seconds_between(time, taken_at_the_earliest(1, last, time)) }} <= {{ window_seconds }} then 1 else 0 end
            {%- endfor %} as int64) as furthest_step
        from funnel_from_{{ 2 if steps | length > 1 else steps | length + 1 }}
        where
            serve_1_1
            {%- if begun_before %}
            and {{ time }} < {{ begun_before }}
            {%- endif %}

    )
    {%- if per == 'try' %}

    select * from funnel_tries
    {%- else %},

    funnel_people as (

        select
            {{ same_person }},
            max(furthest_step) as furthest_step
        from funnel_tries
        group by {{ same_person }}

    )
    {%- endif -%}
    {%- if per == 'person' %}

    select * from funnel_people
    {%- elif per == 'step' %},

    funnel_groups as (

        {% if keys -%}
        select distinct {{ keys | join(', ') }} from funnel_moments
        {%- else -%}
        select 1 as everybody
        {%- endif %}

    ),

    funnel_steps as (

        {% for step in steps -%}
        select
            cast({{ loop.index }} as int64) as step,
            '{{ step.name }}' as name
        {{ 'union all' if not loop.last }}
        {% endfor %}
    ),

    funnel_counts as (

        select
            {% for key in keys -%}
            funnel_groups.{{ key }},
            {% endfor -%}
            funnel_steps.step,
            funnel_steps.name,
            count(case when funnel_people.furthest_step >= funnel_steps.step then 1 end) as people
        from funnel_groups
        cross join funnel_steps
        left join funnel_people
            on {{ same('funnel_groups', 'funnel_people', keys) or 'true' }}
        group by
            {% for key in keys -%}
            funnel_groups.{{ key }},
            {% endfor -%}
            funnel_steps.step,
            funnel_steps.name

    ),

    -- Nobody is in a later step who is not in the first.
    funnel_rates as (

        select
            *,
            {{ ratio('people', 'max(people) over (' ~ ('partition by ' ~ keys | join(', ') if keys) ~ ')') }} as rate
        from funnel_counts

    )

    select * from funnel_rates
    {%- endif -%}
{%- endmacro -%}

{#- Condition on an event: it fits a step. -#}
{%- macro is_of_step(step, event) -%}
    {%- set conditions = [] -%}
    {%- if step.event -%}
        {%- do conditions.append(event ~ " = '" ~ step.event ~ "'") -%}
    {%- endif -%}
    {%- if step.condition -%}
        {%- do conditions.append('(' ~ step.condition ~ ')') -%}
    {%- endif -%}
    {%- if not (step.name and conditions) -%}
        {{ exceptions.raise_compiler_error('funnel: a step has a name, and an event, a condition or both') }}
    {%- endif -%}
    coalesce({{ conditions | join(' and ') }}, false)
{%- endmacro -%}

{#-
    Sets of steps, by their numbers, whose events must be counted together: each step alone, and those
    that one event may fit. Steps of different types of events share none.
-#}
{%- macro steps_that_share_events(steps) -%}
    {%- if steps | length not in range(1, 9) -%}
        {{ exceptions.raise_compiler_error('funnel: 1 to 8 steps, and not ' ~ steps | length) }}
    {%- endif -%}
    {%- set sets = [[]] -%}
    {%- for number in range(1, steps | length + 1) -%}
        {%- for members in sets | list -%}
            {%- do sets.append(members + [number]) -%}
        {%- endfor -%}
    {%- endfor -%}
    {%- set found = [] -%}
    {%- for members in sets if members -%}
        {%- set types = [] -%}
        {%- for number in members -%}
            {%- do types.append(steps[number - 1].event) -%}
        {%- endfor -%}
        {%- if members | length == 1 or types | unique | list | length == 1 or types | select('none') | list or types | select('undefined') | list -%}
            {%- do found.append(members) -%}
        {%- endif -%}
    {%- endfor -%}
    {{ return(found) }}
{%- endmacro -%}

{#-
    SQL expression of the time at which steps in a row are all taken, beginning at a moment. The more
    of them the moment itself serves, the earlier: what remains is less.
-#}
{%- macro taken_at_the_earliest(first, last, time) -%}
    case
        when serve_{{ first }}_{{ last }} then {{ time }}
        {%- for served in range(last - 1, first - 1, -1) %}
        when serve_{{ first }}_{{ served }} then from_{{ served + 1 }}_to_{{ last }}
        {%- endfor %}
    end
{%- endmacro -%}
