{#-
    CTEs, the last of which is `by_month`: the rows of `published_blocks` with `month_<label>`, the
    label under which a row is counted in its month.

    What is too rare for a day may be told of a month. Rows whose label is told on their day keep it;
    those where it is hidden, the rest of the month, are merged once more within `keys`, the month
    and the published labels that stand before this one. Of the rest only two margins are shown then,
    its days and its values, each of k people, and never a value of a day.
-#}
{%- macro rest_of_month(relation, subject, keys, label) -%}
rest_of_month as (

    select * from {{ relation }}
    where is_published and published_{{ label }} = 'Other'

),

month_verdicts as (

    {{ k_merge(
        relation='rest_of_month',
        dimension=label,
        subject=subject,
        partition_by=keys
    ) }}

),

by_month as (

    select
        {{ relation }}.*,
        case
            when {{ relation }}.published_{{ label }} != 'Other' then {{ relation }}.published_{{ label }}
            when {{ relation }}.is_published and month_verdicts.verdict = 'alone' then {{ relation }}.{{ label }}
            else 'Other'
        end as month_{{ label }}
    from {{ relation }}
    left join month_verdicts
        on {{ same(relation, 'month_verdicts', keys + [label]) }}

),
{%- endmacro -%}
