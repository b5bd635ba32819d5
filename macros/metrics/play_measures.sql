{#-
    CTEs, the last of which is `measured`: what was staked, won and kept in each cell of `keys`, of a
    relation of published play. Bets are those that are settled. A lag's 95th percentile needs
    `tail_subjects` people. GGR, NGR and RTP: definitions in docs/metrics.md.
-#}
{%- macro play_measures(relation, keys) -%}
lags as (

    select
        *,
        settle_lag_ms as settle_lag__value,
        webhook_lag_ms as webhook_lag__value
    from {{ relation }}

),

percentiles as (

    {{ percentiles_by('lags', keys, [
        {'name': 'settle_lag_p50', 'input': 'settle_lag', 'fraction': 0.5},
        {'name': 'settle_lag_p95', 'input': 'settle_lag', 'fraction': 0.95},
        {'name': 'webhook_lag_p95', 'input': 'webhook_lag', 'fraction': 0.95},
    ]) }}

),

summed as (

    select
        {{ keys | join(', ') }},
        count(case when play_kind = 'bet' then 1 end) as bets,
        count(case when play_kind = 'open_bet' then 1 end) as open_bets,
        count(distinct case when play_kind = 'bet' then user_key end) as players,
        count(distinct case when settle_lag_ms is not null then user_key end) as settle_lag_players,
        count(distinct case when webhook_lag_ms is not null then user_key end) as webhook_lag_players,
        {% for amount in ['stake', 'win', 'bonus', 'bonus_issued', 'jackpot_contribution', 'commission'] -%}
        cast(sum({{ amount }}_minor) as int64) as {{ amount }}_minor,
        {% endfor -%}
        cast(sum(base_stake_minor) as int64) as base_stake_minor,
        cast(sum(base_win_minor) as int64) as base_win_minor,
        1440 - count(distinct case when play_kind in ('bet', 'open_bet') then played_minute end) as minutes_without_bet,
        max(labelled_at) as updated_at
    from {{ relation }}
    group by {{ keys | join(', ') }}

),

measured as (

    select
        summed.*,
        case when summed.players >= {{ var('k') }} then summed.players end as active_players,
        summed.stake_minor - summed.win_minor as ggr_minor,
        summed.stake_minor - summed.win_minor - summed.bonus_minor
        - summed.jackpot_contribution_minor - summed.commission_minor as ngr_minor,
        {{ ratio('summed.win_minor', 'summed.stake_minor') }} as rtp,
        case when summed.settle_lag_players >= {{ var('k') }} then {{ whole_ms('percentiles.settle_lag_p50') }} end as settle_lag_p50_ms,
        {% for lag in ['settle_lag', 'webhook_lag'] -%}
        case when summed.{{ lag }}_players >= {{ var('tail_subjects') }} then {{ whole_ms('percentiles.' ~ lag ~ '_p95') }} end as {{ lag }}_p95_ms{{ ',' if not loop.last }}
        {% endfor %}
    from summed
    left join percentiles on {{ same('summed', 'percentiles', keys) }}

),
{%- endmacro -%}
