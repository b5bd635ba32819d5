{#-
    CTEs of what the days of each told week are held against, from the arguments of `feature_shifts`:
    `reference_sizes`, `reference_values` and their `reference_deciles`, `reference_ranges` and
    `reference_words`; the `known_features` of a week, and the `null_limits` of their null rates.
-#}
{%- macro feature_reference(days, sent, expected) -%}
{%- set reference = var('drift_reference') -%}
{%- set deciles = [] -%}
{%- for decile in range(1, 10) -%}
    {%- do deciles.append({'name': 'decile_' ~ decile, 'input': 'number', 'fraction': decile / 10}) -%}
{%- endfor -%}
told_weeks as (

    select distinct week_start from {{ days }} where is_told

),

reference_days as (

    select
        told_weeks.week_start,
        {{ days }}.decided_on,
        {{ days }}.decisions
    from told_weeks
    cross join {{ days }}
    where
        {{ days }}.decided_on >= told_weeks.week_start - {{ reference.days }}
        and {{ days }}.decided_on < told_weeks.week_start

),

reference_sizes as (

    select
        week_start,
        count(*) as reference_days,
        cast(sum(decisions) as int64) as reference_decisions
    from reference_days
    group by week_start

),

reference_values as (

    select
        reference_days.week_start,
        {{ sent }}.decided_on,
        {{ sent }}.feature,
        {{ sent }}.subject_key,
        {{ sent }}.word,
        {{ sent }}.number_value as number__value
    from reference_days
    inner join {{ sent }} on reference_days.decided_on = {{ sent }}.decided_on

),

reference_deciles as (

    {{ percentiles_by('reference_values', ['week_start', 'feature'], deciles) }}

),

reference_ranges as (

    select
        week_start,
        feature,
        min(number__value) as least,
        max(number__value) as greatest,
        count(distinct subject_key) as reference_people
    from reference_values
    group by week_start, feature

),

reference_words as (

    select distinct week_start, feature, word from reference_values where word is not null

),

known_features as (

    select week_start, feature from reference_ranges
    union distinct
    select
        told_weeks.week_start,
        {{ expected }}.feature
    from told_weeks
    cross join {{ expected }}

),

-- A day on which nobody sent the feature is a day of nulls.
reference_rates as (

    select
        known_features.week_start,
        known_features.feature,
        {{ ratio(
            'reference_days.decisions - count(reference_values.feature)', 'reference_days.decisions'
        ) }} as null_rate
    from known_features
    inner join reference_days on known_features.week_start = reference_days.week_start
    left join reference_values
        on
            {{ same('known_features', 'reference_values', ['week_start', 'feature']) }}
            and reference_days.decided_on = reference_values.decided_on
    group by
        known_features.week_start,
        known_features.feature,
        reference_days.decided_on,
        reference_days.decisions

),

null_limits as (

    select
        week_start,
        feature,
        avg(null_rate) + 3 * stddev_samp(null_rate) as null_limit
    from reference_rates
    group by week_start, feature

),
{%- endmacro -%}
