{#-
    CTEs, the last of which is `blocks`: the rows of a relation with the labels under which they are
    published, each as `published_<label>`, and `is_published`.

    `keys` begin with the day; a day's cell of these that is too small is published nowhere. Within
    it the labels are merged one after the other, each within those before it: a value that does not
    stand alone is Other, or null if the label is an `hour`, which is then in the rest of its day. So
    every row is in a block of k people, and whatever is shown is made of whole blocks.

    A label in `joint` merges alike for all values of the last key: what is a ratio of two of these
    then has the same rows above and below the line. Where `safe_rows` is given, because keys and
    labels are all safe, that many rows pass as well. `into` names the last CTE, for a second use in
    one statement.
-#}
{%- macro published_blocks(relation, subject, keys, labels, hour=none, joint=[], safe_rows=none, into='blocks') -%}
{%- set state = namespace(relation=relation, keys=keys) -%}
{%- set prefix = '' if into == 'blocks' else into ~ '_' -%}
{%- for label in labels + ([hour] if hour else []) -%}
{%- set cell = state.keys + [label] -%}
{%- set agreed = cell | reject('equalto', keys[-1]) | list -%}
{{ prefix ~ label }}_verdicts as (

    {{ k_merge(
        relation=state.relation,
        dimension=label,
        subject=subject,
        partition_by=state.keys,
        safe_rows=safe_rows
    ) }}

),

{% if label in joint -%}
{{ prefix }}agreed_{{ label }}_verdicts as (

    select
        {{ cell | join(', ') }},
        case
            when verdict = 'withheld' then verdict
            when sum(case when verdict = 'merged' then 1 else 0 end) over (partition by {{ agreed | join(', ') }}) > 0 then 'merged'
            else verdict
        end as verdict
    from {{ prefix ~ label }}_verdicts

),

{% endif -%}
{%- set verdicts = prefix ~ ('agreed_' if label in joint else '') ~ label ~ '_verdicts' -%}
{{ into if loop.last else prefix ~ 'by_' ~ label }} as (

    select
        {{ state.relation }}.*,
        {%- if loop.first %}
        {{ verdicts }}.verdict != 'withheld' as is_published,
        {%- endif %}
        case
            when {{ verdicts }}.verdict = 'alone' then {{ state.relation }}.{{ label }}
            {%- if label != hour %}
            else 'Other'
            {%- endif %}
        end as published_{{ label }}
    from {{ state.relation }}
    inner join {{ verdicts }}
        on {{ same(state.relation, verdicts, cell) }}

),
{% set state.relation = prefix ~ 'by_' ~ label -%}
{%- set state.keys = state.keys + ['published_' ~ label] -%}
{%- endfor -%}
{%- endmacro -%}
