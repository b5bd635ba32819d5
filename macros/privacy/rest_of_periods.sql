{#-
    CTEs, the last of which is `rests`: the rows of `published_blocks` with `<period>_<label>`, the
    label under which a row is counted in each longer period.

    What is too rare for a day may be told of its week. Rows whose label is told on their day keep it;
    the others are merged once more within their period, `keys` and the published labels before this
    one. Of them two margins are known then: their days and their values.

    That is safe for a label of two values, and for no other. Every day that hides such a label has
    both, so no value of a day follows from the margins. Of three values one may be there on a single
    day: its figure, taken off that day, is the rest of it. For the same reason a day may not be split
    by the hour where it hides the label. `periods` maps names to columns, each made of whole shorter
    ones: the week is the part of it in one month.
-#}
{%- macro rest_of_periods(relation, subject, periods, keys, label) -%}
{%- set state = namespace(relation=relation, told='published_' ~ label) -%}
{%- for period, start in periods.items() -%}
{%- set cell = [start] + keys -%}
rest_of_{{ period }} as (

    select * from {{ state.relation }}
    where is_published and {{ state.told }} = 'Other'

),

{{ period }}_verdicts as (

    {{ k_merge(
        relation='rest_of_' ~ period,
        dimension=label,
        subject=subject,
        partition_by=cell
    ) }}

),

{{ 'rests' if loop.last else 'by_' ~ period }} as (

    select
        {{ state.relation }}.*,
        case
            when {{ state.relation }}.{{ state.told }} != 'Other' then {{ state.relation }}.{{ state.told }}
            when {{ period }}_verdicts.verdict = 'alone' then {{ state.relation }}.{{ label }}
            else 'Other'
        end as {{ period }}_{{ label }}
    from {{ state.relation }}
    left join {{ period }}_verdicts
        on {{ same(state.relation, period ~ '_verdicts', cell + [label]) }}

),
{% set state.relation = 'by_' ~ period -%}
{%- set state.told = period ~ '_' ~ label -%}
{%- endfor -%}
{%- endmacro -%}
