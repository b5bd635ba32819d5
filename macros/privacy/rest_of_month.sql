{#-
    CTEs, the last of which is `by_month`: the rows of `published_blocks` with `month_<label>`, the
    label under which a row is counted in its month.

    What is too rare for a day may be told of a month. Rows whose label is told on their day keep it;
    those where it is hidden, the rest of the month, are merged once more within `keys`, the month
    and the published labels that stand before this one. Of the rest only two margins are shown then,
    its days and its values, each of k people, and never a value of a day.

    That holds among days that hide the same values, so only these are merged with each other. Of a
    day that alone hides a value, the month's figure would be the day's, and the day less it what is
    left beside it there.
-#}
{%- macro rest_of_month(relation, subject, day, keys, label) -%}
hidden_by_days as (

    select
        {{ ([day] + keys) | join(', ') }},
        string_agg(distinct {{ label }}, ',' order by {{ label }}) as hidden_values
    from {{ relation }}
    where is_published and published_{{ label }} = 'Other'
    group by {{ ([day] + keys) | join(', ') }}

),

rest_of_month as (

    select
        {{ relation }}.*,
        hidden_by_days.hidden_values
    from {{ relation }}
    inner join hidden_by_days on {{ same(relation, 'hidden_by_days', [day] + keys) }}
    where {{ relation }}.is_published and {{ relation }}.published_{{ label }} = 'Other'

),

month_verdicts as (

    {{ k_merge(
        relation='rest_of_month',
        dimension=label,
        subject=subject,
        partition_by=keys + ['hidden_values']
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
    left join hidden_by_days on {{ same(relation, 'hidden_by_days', [day] + keys) }}
    left join month_verdicts
        on
            {{ same(relation, 'month_verdicts', keys + [label]) }}
            and hidden_by_days.hidden_values = month_verdicts.hidden_values

),
{%- endmacro -%}
