{#-
    Query for what a cohort was worth by day n: a row per cohort (of `keys`, `cohort_keys` and
    cohort_date) and day, with its size, the amount of all its members from day 0 on, that per member,
    and is_mature. Both are null until day n has passed for all of the cohort.

    `amount` is an expression of a whole number on the amounts, negative for what is taken back, like
    `paid_on`, the day; all else is as retention has it. Sums are exact: the division comes last.
-#}
{%- macro lifetime_value(
    cohorts, amounts, subject, joined_on, paid_on, amount, last_day, days=range(91), period='day',
    keys=[], cohort_keys=[], where='true'
) -%}
{%- set cohort_columns = keys + cohort_keys + ['cohort_date'] -%}
    with

    {{ cohort_cells(
        cohorts=cohorts,
        subject=subject,
        keys=keys + cohort_keys,
        joined_on=joined_on,
        period=period,
        last_day=last_day,
        days=days
    ) }}

    value_paid_days as (

        select
            {{ (keys + [subject]) | join(', ') }},
            {{ paid_on }} as paid_on,
            {{ amount }} as amount
        from {{ amounts }}
        where {{ where }}

    ),

    value_payments as (

        select
            {% for column in cohort_columns -%}
            cohort_members.{{ column }},
            {% endfor -%}
            {{ date_distance('cohort_members.joined_on', 'value_paid_days.paid_on', 'day') }} as distance,
            value_paid_days.amount
        from cohort_members
        inner join value_paid_days
            on {{ same('cohort_members', 'value_paid_days', keys + [subject]) }}
        where value_paid_days.paid_on between cohort_members.joined_on and cohort_members.last_day

    ),

    value_daily_amounts as (

        select
            {{ cohort_columns | join(', ') }},
            distance,
            sum(amount) as amount
        from value_payments
        group by {{ cohort_columns | join(', ') }}, distance

    ),

    value_by_day as (

        select
            {% for column in cohort_columns + ['size', 'day', 'is_mature'] -%}
            cohort_cells.{{ column }},
            {% endfor -%}
            case when cohort_cells.is_mature then cast(coalesce(sum(value_daily_amounts.amount), 0) as int64) end as amount
        from cohort_cells
        left join value_daily_amounts
            on
                {{ same('cohort_cells', 'value_daily_amounts', cohort_columns) }}
                and value_daily_amounts.distance <= cohort_cells.day
        group by
            {% for column in cohort_columns + ['size', 'day', 'is_mature'] -%}
            cohort_cells.{{ column }}{{ ',' if not loop.last }}
            {% endfor %}
    )

    select
        *,
        {{ ratio('amount', 'size') }} as amount_per_member
    from value_by_day
{%- endmacro -%}
