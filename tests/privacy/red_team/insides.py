"""Inference within a cell: what its sums and shares say of one of its people."""

from __future__ import annotations

from red_team.attacks import INFERENCE, Finding, attack
from red_team.gold import Gold, K, real_gold, sabotaged

# Mart, its sum, and what of its fact is summed.
SUMS = [
    ("gold.deposit_attempts_hourly", "amount_minor", "amount_minor"),
    ("gold.claim_type_features_daily", "amount_minor", "amount_minor"),
    ("gold.payments_hourly", "amount_minor", "captured_minor"),
    ("gold.game_performance_daily", "stake_minor", "stake_minor"),
    ("gold.contribution_stats", "points", "points"),
    ("gold.wallet_activity", "amount_minor", "amount_minor"),
]
# Whoever is second largest must not know the largest to within this share of it.
CLOSE = 0.15
EVERY_DEPOSIT = """
    create or replace view silver.int_access__published_deposit_attempts as
    select
        * replace (date_trunc('hour', raw.attempted_at) as published_hour, true as is_published)
    from demo.silver.int_access__published_deposit_attempts
    inner join (select event_id, attempted_at from silver.stg_access__deposit_attempts) as raw
        using (event_id);
    create or replace view gold.deposit_attempts_hourly as
    select
        published_hour as period_start, domain, method, provider, status, error_code, currency,
        cast(sum(amount_minor) as bigint) as amount_minor
    from silver.int_access__published_deposit_attempts
    group by all
"""


def people_of_sums(gold: Gold, mart: str, told: str, summed: str) -> str:
    """Query for one row per shown sum: what is told, and what its two largest people have of it.

    Rows of nobody are one person's.
    """
    cells = gold.cells_of(mart)
    keys = list(cells.keys.values())
    same = " and ".join(f"mart.{m} is not distinct from ranked.{f}" for m, f in cells.keys.items())
    return f"""
        with people as (
            select {", ".join(keys)}, {cells.subject} as person, sum(abs({summed})) as weight
            from {cells.fact}
            where {cells.fact_where} and {summed} is not null
            group by all
        ), ranked as (
            select
                {", ".join(keys)}, sum(weight) as total, max(weight) as first_one,
                coalesce(list(weight order by weight desc)[2], 0) as second_one,
                list(weight) as each
            from people
            group by all
        )
        select mart.{told} as told, ranked.total, ranked.first_one, ranked.second_one, ranked.each
        from {mart} as mart inner join ranked on {same}
        where mart.{told} is not null and {cells.mart_where}
    """


@attack(
    "R11",
    INFERENCE,
    on="every sum of amounts, stakes and points",
    real=real_gold,
    sabotage="sums of deposits are told of every hour",
    twin=sabotaged(EVERY_DEPOSIT),
)
def whoever_is_second_estimates_the_first(gold: Gold) -> Finding:
    """The second largest takes off what is her own; somebody has more than half of a sum."""
    sums = over_half = close = 0
    for mart in SUMS:
        rows = gold.rows(people_of_sums(gold, *mart))
        sums += len(rows)
        over_half += sum(2 * first > total > 0 for _, total, first, _, _ in rows)
        close += sum(
            first > 0 and total - first - second < CLOSE * float(first)
            for _, total, first, second, _ in rows
        )
    said = f"{sums} sums, {over_half} mostly one person's, {close} estimated to within 15%"
    return Finding(over_half + close > 0, said)


@attack(
    "R20",
    INFERENCE,
    on="every sum of amounts, stakes and points",
    real=real_gold,
    sabotage="sums of deposits are told of every hour",
    twin=sabotaged(EVERY_DEPOSIT),
)
def an_amount_is_a_fingerprint(gold: Gold) -> Finding:
    """Somebody's amount is known to the cent: look for a sum that is just that amount.

    Sums of live marts are exact; nothing but their people keeps them from being one's own.
    """
    rows = [row for mart in SUMS for row in gold.rows(people_of_sums(gold, *mart))]
    own = sum(told != 0 and abs(told) in each for told, _, _, _, each in rows)
    return Finding(own > 0, f"{own} of {len(rows)} sums are the amount of one of their people")


# Of each mart: what is sensitive, and of how many.
SENSITIVE = {
    "gold.daily_claim_stats": [("total_flagged", "total_claims")],
    "gold.fraud_patterns_weekly": [("flagged_claims", "claims"), ("confirmed_fraud", "claims")],
    "gold.partner_features_daily": [("confirmed_fraud", "claims")],
    "gold.claim_type_trends_monthly": [("confirmed_fraud", "claims")],
    "gold.partner_behavior_profiles": [("fraud_rate", "1")],
    "gold.partner_benchmarks_monthly": [("fraud_rate", "1")],
    "gold.model_bias_monthly": [("flag_rate", "1")],
    **{
        f"gold.{mart}": [("true_positives + false_negatives", "decisions")]
        for mart in ("fraud_metrics", "model_performance_daily", "fraud_cohorts")
    },
    "gold.rule_performance_daily": [("true_positives", "evaluated")],
}
CLAIMS_OF_FEW = """
    create or replace view gold.daily_claim_stats as
    select
        cast(occurred_at as date) as date, partner_id, claim_type, country,
        count(*) as total_claims, count(*) filter (is_verified) as total_verified,
        count(*) filter (is_flagged) as total_flagged
    from silver.int_claims__claims
    group by all
"""


@attack(
    "R13",
    INFERENCE,
    on="suspicion and fraud in marts of claims and decisions",
    real=real_gold,
    sabotage="claims are told of every day",
    twin=sabotaged(CLAIMS_OF_FEW),
)
def all_of_a_cell_are_the_same(gold: Gold) -> Finding:
    """Everybody of a cell, or four of five, is suspected: so is whoever is known to be in it."""
    found = cells = 0
    for mart, pairs in SENSITIVE.items():
        for part, whole in pairs:
            cells += gold.number(f"select count({part}) from {mart}")
            found += gold.number(f"select count(*) from {mart} where {part} > 0.8 * {whole}")
    return Finding(found > 0, f"{found} of {cells} cells that tell it")


# Of each mart: parts that are told beside the whole that they are of. Not here, since
# docs/privacy.md promises nothing of them: steps of the funnel of registrations, calls of
# companies, and how far our services have come, such as payments that were captured and bets that
# were settled.
PARTS = {
    "gold.attempts_daily": [("errors", "attempts")],
    "gold.attempts_hourly": [("errors", "attempts")],
    "gold.attempt_errors_daily": [
        ("blocked", "attempts"),
        ("registered", "attempts"),
        ("email_already_used", "attempts"),
    ],
    "gold.registrations_per_fingerprint_daily": [
        ("registrations_over_10", "registrations"),
        ("registrations_over_30", "registrations"),
    ],
    "gold.notification_delivery": [("delivered", "sent"), ("failed", "sent"), ("unheard", "sent")],
    "gold.challenge_performance_weekly": [("completed", "participants")],
    "gold.wallet_activity": [("rewards_issued", "entries"), ("rewards_reversed", "entries")],
    "gold.retention_cohorts": [("returned", "size"), ("returned_on_or_after", "size")],
    "gold.active_players": [("new_players", "dau"), ("returning_players", "dau")],
    "gold.user_activity": [
        ("new_users", "active_users"),
        ("returning_users", "active_users"),
        ("complete_profiles", "active_users"),
    ],
    "gold.engagement_summary": [("new_users", "active_users"), ("returning_users", "active_users")],
}
PARTS_OF_CLAIMS_AND_PAYMENTS = {
    "gold.daily_claim_stats": [
        ("total_verified", "total_claims"),
        ("total_flagged", "total_claims"),
    ],
    "gold.fraud_patterns_weekly": [("flagged_claims", "claims"), ("confirmed_fraud", "claims")],
    "gold.partner_features_daily": [("confirmed_fraud", "claims")],
    "gold.claim_type_trends_monthly": [("confirmed_fraud", "claims")],
    "gold.partner_behavior_profiles": [
        ("fraud_rate * claims", "claims"),
        ("verification_rate * claims", "claims"),
    ],
    "gold.partner_benchmarks_monthly": [
        ("fraud_rate * claims", "claims"),
        ("verification_rate * claims", "claims"),
    ],
    "gold.model_bias_monthly": [("flag_rate * claims", "claims")],
    "gold.verification_metrics_daily": [
        ("verified", "verifications"),
        ("rejected", "verifications"),
        ("other_results", "verifications"),
    ],
    "gold.payments_hourly": [("refunded", "captured")],
    "gold.feature_attributions_daily": [("raising_rate * contributions", "contributions")],
    "gold.rule_performance_daily": [
        (part, "evaluated")
        for part in (
            *("fired", "true_positives", "false_positives", "fired_unlabelled"),
            "fired_with_others",
        )
    ],
    "gold.replay_results": [
        (part, "decisions")
        for part in (
            "decisions_changed",
            *(f"{side}_true_positives" for side in ("original", "replay")),
            *(f"{side}_false_positives" for side in ("original", "replay")),
            *(
                f"{swap}_{what}"
                for swap in ("newly_held", "newly_approved")
                for what in ("frauds", "honest", "unknown")
            ),
        )
    ],
    "gold.feature_drift": [
        ("null_rate * decisions", "decisions"),
        ("range_violations", "decisions"),
        ("type_violations", "decisions"),
        ("unseen_decisions", "decisions"),
    ],
    **{
        f"gold.{mart}": [
            (part, "decisions")
            for part in (
                *("true_positives", "false_positives", "true_negatives", "false_negatives"),
                *("labelled", "unlabelled", *others),
            )
        ]
        for mart, others in {
            "fraud_metrics": ("approved", "declined", "review", "chargebacks"),
            "model_performance_daily": (
                *("overrides", "overridden_to_release", "overridden_to_hold"),
                "overridden_otherwise",
            ),
            "fraud_cohorts": (),
        }.items()
    },
}


def small_parts(gold: Gold, parts: dict[str, list[tuple[str, str]]]) -> Finding:
    """How many parts, or what is beside them, are there and of fewer than k."""
    told = 0
    by_mart = {}
    for mart, pairs in parts.items():
        for part, whole in pairs:
            few = " or ".join(
                f"round({rows}) between 1 and {K - 1}" for rows in (part, f"{whole} - {part}")
            )
            told += gold.number(f"select count({part}) from {mart}")
            if found := gold.number(f"select count(*) from {mart} where {few}"):
                by_mart[f"{mart.removeprefix('gold.')}.{part}"] = found
    shown = ", ".join(f"{name} {found}" for name, found in by_mart.items())
    said = f"{sum(by_mart.values())} of {told} parts are, or leave, 1 to {K - 1}"
    return Finding(bool(by_mart), f"{said}{f': {shown}' if shown else ''}")


@attack(
    "R15",
    INFERENCE,
    on="parts beside their whole, of attempts, messages, wallets, players",
    real=real_gold,
    sabotage="status is a count, and no label",
    twin=sabotaged("""
        create or replace view gold.attempts_daily as
        select
            date_trunc('hour', attempted_at) as period_start, domain, action, country,
            count(*) as attempts, count(*) filter (status = 'error') as errors
        from silver.stg_access__attempts
        group by all
        having count(distinct subject_key) >= 10
    """),
)
def a_part_or_what_it_leaves_is_small(gold: Gold) -> Finding:
    """A cell of many people says of how few of them something is true, or is not."""
    return small_parts(gold, PARTS)


@attack(
    "R15",
    INFERENCE,
    on="parts beside their whole, of claims, verifications, payments and decisions",
    real=real_gold,
    sabotage="claims are told of every day",
    twin=sabotaged(CLAIMS_OF_FEW),
)
def a_part_of_claims_or_payments_is_small(gold: Gold) -> Finding:
    """One of twelve claims of a cell is suspected, or one of its payments was paid back."""
    return small_parts(gold, PARTS_OF_CLAIMS_AND_PAYMENTS)
