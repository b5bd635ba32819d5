{#-
    CTEs, the last of which is `shifts`: of each day and feature how far its values are from those of
    its reference, the days of `drift_reference` before the ISO week of the day.

    `days` has the `decisions` of each day, its `week_start`, and whether it `is_told`, or there for
    reference alone. `sent` has the values, none of them null: a `number_value`, or a `word` that
    stands for all else. `expected` are features of which every day tells.

    Numbers are in deciles of the reference with open ends, words each in a bin of their own, and
    decisions without a value in another.
-#}
{%- macro feature_shifts(days, sent, expected) -%}
{%- set reference = var('drift_reference') -%}
{{ feature_reference(days, sent, expected) }}

current_values as (

    select
        told.week_start,
        {{ sent }}.decided_on,
        {{ sent }}.feature,
        {{ sent }}.word,
        {{ sent }}.number_value as number__value
    from {{ days }} as told
    inner join {{ sent }} on told.decided_on = {{ sent }}.decided_on
    where told.is_told

),

feature_days as (

    select
        told.decided_on,
        told.week_start,
        told.decisions,
        known_features.feature
    from {{ days }} as told
    inner join known_features on told.week_start = known_features.week_start
    where told.is_told
    union distinct
    select
        told.decided_on,
        told.week_start,
        told.decisions,
        current_values.feature
    from {{ days }} as told
    inner join current_values on told.decided_on = current_values.decided_on

),

{% for side in ['reference', 'current'] -%}
{%- set keys = ['week_start'] if side == 'reference' else ['decided_on', 'week_start'] -%}
{{ side }}_bins as (

    select
        {{ keys | join(', ') }},
        feature,
        bin,
        count(*) as bin_rows
    from (
        select
            {{ qualified(side ~ '_values', keys + ['feature']) }},
            coalesce(
                {{ side }}_values.word,
                {{ decile_bin(side ~ '_values.number__value', 'deciles') }}
            ) as bin
        from {{ side }}_values
        left join reference_deciles as deciles
            on {{ same(side ~ '_values', 'deciles', ['week_start', 'feature']) }}
    ) as binned
    group by {{ keys | join(', ') }}, feature, bin

),

{% endfor -%}
compared_bins as (

    select
        feature_days.decided_on,
        feature_days.feature,
        reference_bins.bin,
        reference_bins.bin_rows as reference_rows,
        0 as current_rows
    from feature_days
    inner join reference_bins
        on {{ same('feature_days', 'reference_bins', ['week_start', 'feature']) }}
    union all
    select
        decided_on,
        feature,
        bin,
        0 as reference_rows,
        bin_rows as current_rows
    from current_bins

),

filled_bins as (

    select
        decided_on,
        feature,
        sum(reference_rows) as reference_rows,
        sum(current_rows) as current_rows
    from compared_bins
    group by decided_on, feature

),

feature_sizes as (

    select
        feature_days.decided_on,
        feature_days.week_start,
        feature_days.feature,
        feature_days.decisions,
        coalesce(reference_sizes.reference_days, 0) as reference_days,
        coalesce(reference_sizes.reference_decisions, 0) as reference_decisions,
        feature_days.decisions - coalesce(filled_bins.current_rows, 0) as missing,
        coalesce(reference_sizes.reference_decisions, 0)
        - coalesce(filled_bins.reference_rows, 0) as reference_missing
    from feature_days
    left join reference_sizes on feature_days.week_start = reference_sizes.week_start
    left join filled_bins on {{ same('feature_days', 'filled_bins', ['decided_on', 'feature']) }}

),

all_bins as (

    select
        decided_on,
        feature,
        bin,
        sum(reference_rows) as reference_rows,
        sum(current_rows) as current_rows
    from compared_bins
    group by decided_on, feature, bin
    union all
    select
        decided_on,
        feature,
        '' as bin,
        reference_missing as reference_rows,
        missing as current_rows
    from feature_sizes

),

shares as (

    select
        all_bins.decided_on,
        all_bins.feature,
        {{ filled_share('all_bins.reference_rows', 'feature_sizes.reference_decisions') }}
            as reference_share,
        {{ filled_share('all_bins.current_rows', 'feature_sizes.decisions') }} as current_share
    from all_bins
    inner join feature_sizes
        on {{ same('all_bins', 'feature_sizes', ['decided_on', 'feature']) }}

),

distances as (

    select
        decided_on,
        feature,
        {{ stability_index('reference_share', 'current_share') }} as psi,
        {{ kl_divergence('reference_share', 'current_share') }} as kl_divergence
    from shares
    group by decided_on, feature

),

shifts as (

    select
        feature_sizes.decided_on,
        feature_sizes.week_start,
        feature_sizes.feature,
        feature_sizes.reference_days,
        reference_ranges.least,
        reference_ranges.greatest,
        coalesce(reference_ranges.reference_people, 0) as reference_people,
        feature_sizes.reference_days >= {{ reference.at_least }} as has_reference,
        {%- for distance in ['psi', 'kl_divergence'] %}
        case
            when feature_sizes.reference_days >= {{ reference.at_least }}
                then distances.{{ distance }}
        end as {{ distance }},
        {%- endfor %}
        case
            when feature_sizes.reference_days >= {{ reference.at_least }}
                then
                    {{ ratio('feature_sizes.missing', 'feature_sizes.decisions') }}
                    > coalesce(null_limits.null_limit, 1) + 1e-9
        end as null_rate_spike
    from feature_sizes
    left join distances on {{ same('feature_sizes', 'distances', ['decided_on', 'feature']) }}
    left join null_limits
        on {{ same('feature_sizes', 'null_limits', ['week_start', 'feature']) }}
    left join reference_ranges
        on {{ same('feature_sizes', 'reference_ranges', ['week_start', 'feature']) }}

),
{%- endmacro -%}
