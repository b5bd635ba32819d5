{#-
    CTEs, the last of which is `by_month`: the rows of `published_blocks` with `month_<label>`, the
    label under which a row is counted in its month.

    What is too rare for a day may be told of a month. Rows whose label is told on their day keep it;
    those where it is hidden, the rest of the month, are merged once more within `keys`, the month
    and the published labels that stand before this one. Of the rest only two margins are shown then,
    its days and its values, each of k people, and never a value of a day.

    That holds among days that have the same values, told and hidden ones, so only these are merged
    with each other. Of a day that alone hides a value, or alone has one, the month's figure would be
    the day's, and the day less it what is left beside it there.
-#}
{%- macro rest_of_month(relation, subject, day, keys, label) -%}
told_of_days as (

    select
        {{ ([day] + keys) | join(', ') }},
        coalesce(
            string_agg(
                distinct case when published_{{ label }} != 'Other' then published_{{ label }} end, ','
                order by case when published_{{ label }} != 'Other' then published_{{ label }} end
            ),
            ''
        ) as told_values,
        coalesce(
            string_agg(
                distinct case when published_{{ label }} = 'Other' then {{ label }} end, ','
                order by case when published_{{ label }} = 'Other' then {{ label }} end
            ),
            ''
        ) as hidden_values
    from {{ relation }}
    where is_published
    group by {{ ([day] + keys) | join(', ') }}

),

rest_of_month as (

    select
        {{ relation }}.*,
        told_of_days.told_values,
        told_of_days.hidden_values
    from {{ relation }}
    inner join told_of_days on {{ same(relation, 'told_of_days', [day] + keys) }}
    where {{ relation }}.is_published and {{ relation }}.published_{{ label }} = 'Other'

),

month_verdicts as (

    {{ k_merge(
        relation='rest_of_month',
        dimension=label,
        subject=subject,
        partition_by=keys + ['told_values', 'hidden_values']
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
    left join told_of_days on {{ same(relation, 'told_of_days', [day] + keys) }}
    left join month_verdicts
        on
            {{ same(relation, 'month_verdicts', keys + [label]) }}
            and told_of_days.told_values = month_verdicts.told_values
            and told_of_days.hidden_values = month_verdicts.hidden_values

),
{%- endmacro -%}
