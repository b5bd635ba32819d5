"""What is planted in copies of the demo's warehouse, and the guard that must see each of it."""

from __future__ import annotations

from dataclasses import dataclass

FACT = "int_access__published_attempts"


@dataclass(frozen=True)
class Fault:
    """What is done to the warehouse, the guard that must see it, and whom else it disturbs."""

    guard: str
    model: str
    sql: str
    also: tuple[tuple[str, str], ...] = ()


# A row of the fact on a day that no mart has, so that no other cell changes.
THREE_PEOPLE = f"""
    insert into silver.{FACT} by name
    select
        'planted' || n as event_id, 'planted' as batch_id, date '2020-01-01' as attempted_on,
        'a.example' as domain, 'login' as action, 'success' as status, 'none' as error_code,
        'none' as field, 'DE' as country, true as is_published, false as is_safe_cell,
        'v1:' || sha256('person' || n) as subject_key, 1000000 as duration_ns,
        timestamp '2020-01-02' as labelled_at
    from range(3) as people(n);
    insert into gold.attempts_daily by name
    select
        date '2020-01-01' as period_start, 'a.example' as domain, 'login' as action,
        'success' as status, 'none' as error_code, 'DE' as country, 3 as attempts, 0 as errors,
        timestamp '2020-01-02' as updated_at
"""

# Three people of a country that stands alone, published under a name of their own.
RELABELLED = f"""
    create temp table chosen as
    select {{cell}}, country, list(distinct subject_key order by subject_key)[:3] as people
    from silver.{FACT}
    where is_published and country != 'Other' and published_hour is not null
    group by all
    having count(distinct subject_key) >= 20
    order by all
    limit 1;
    update silver.{FACT} as fact set country = 'XX'
    from chosen
    where
        ({{fact_cell}}, fact.country) = ({{chosen_cell}}, chosen.country)
        and list_contains(chosen.people, fact.subject_key)
"""
CELL = ["attempted_on", "domain", "action", "status", "error_code", "field", "published_hour"]

# What claims share that are told one by one.
CLASS = [
    *("told_period", "told_start", "partner_id", "claim_type", "region", "amount_bucket"),
    *("currency", "hour_band", "day_of_week", "age_band", "gen_level"),
]

FAULTS = {
    "a row of three people": Fault(
        "k_anonymous", "attempts_daily", THREE_PEOPLE, (("blocks_pass", FACT),)
    ),
    "one attempt too many": Fault(
        "k_anonymous",
        "attempts_hourly",
        "update gold.attempts_hourly set attempts = attempts + 1 "
        "where rowid = (select max(rowid) from gold.attempts_hourly)",
    ),
    "wrong number of people": Fault(
        "k_anonymous",
        "attempt_errors_daily",
        "update gold.attempt_errors_daily set subjects = subjects + 1 "
        "where rowid = (select max(rowid) from gold.attempt_errors_daily where subjects > 0)",
    ),
    "a row without attempts": Fault(
        "k_anonymous",
        "response_times_daily",
        "insert into gold.response_times_daily by name select date '2020-01-01' as period_start, "
        "'DE' as country, 'login' as action, 500 as attempts, 400 as subjects, "
        "timestamp '2020-01-02' as updated_at",
    ),
    "the same pseudonym twice in the project": Fault(
        "own_domain",
        "top_contributors",
        "update gold_restricted.top_contributors set contributor = (select max(user_key) "
        "from silver.int_engagement__contributions where points > 0) where rowid = 0",
    ),
    "a pseudonym of a restricted mart in gold": Fault(
        "no_pii_columns",
        "contribution_stats",
        "alter table gold.contribution_stats add column contributor varchar",
    ),
    "a column of pseudonyms": Fault(
        "no_pii_columns",
        "response_times_daily",
        "alter table gold.response_times_daily add column email_key varchar",
    ),
    "a column of instants": Fault(
        "day_grain",
        "response_times_daily",
        "alter table gold.response_times_daily add column seen timestamp",
    ),
    "a row twice": Fault(
        "unique_rows",
        "attempts_hourly",
        "insert into gold.attempts_hourly from gold.attempts_hourly where rowid = 0",
    ),
    "three who returned": Fault(
        "none_or_enough",
        "retention_cohorts",
        "update gold.retention_cohorts set returned = 3 where rowid = 0",
    ),
    "an hour of one game of too few": Fault(
        "timed_blocks_pass",
        "int_gaming__published_play",
        "update silver.int_gaming__published_play set "
        "cube_hour = date_trunc('hour', played_minute), "
        "cube_device = 'mobile', cube_geo = 'Other' where rowid = (select min(rowid) from "
        "silver.int_gaming__published_play where is_published and not is_hub "
        "and cube_hour is null and stake_minor > 0)",
    ),
    "a null": Fault(
        "filled",
        "attempts_hourly",
        "update gold.attempts_hourly set updated_at = null where rowid = 0",
    ),
    "a batch that does not add up": Fault(
        "assert_every_batch_adds_up",
        "",
        "update silver.int_platform__batch_books set problem = 'planted' where rowid = 0",
    ),
    "a block of three people": Fault(
        "blocks_pass",
        FACT,
        RELABELLED.format(
            cell=", ".join(CELL),
            fact_cell=", ".join(f"fact.{column}" for column in CELL),
            chosen_cell=", ".join(f"chosen.{column}" for column in CELL),
        ),
        (
            ("k_anonymous", "attempts_hourly"),
            ("k_anonymous", "attempts_daily"),
            ("k_anonymous", "response_times_daily"),
            ("k_anonymous", "metric_time_series"),
        ),
    ),
    "a figure of three people": Fault(
        "k_anonymous",
        "metric_time_series",
        "update gold.metric_time_series set subjects = 3 where rowid = (select max(rowid) "
        "from gold.metric_time_series where value > 0 and subjects is null)",
    ),
    "a figure that nobody is behind": Fault(
        "k_anonymous",
        "metric_time_series",
        "update gold.metric_time_series set value = 9 where rowid = (select max(rowid) "
        "from gold.metric_time_series where value = 0 and metric_name = 'submissions')",
    ),
    "a total of its own": Fault(
        "k_anonymous",
        "metrics",
        "update gold.metrics set value = value + 1 where rowid = (select max(rowid) "
        "from gold.metrics where value > 0 and is_complete)",
        (("k_anonymous", "metric_trends"),),
    ),
    "a trend of a value of its own": Fault(
        "k_anonymous",
        "metric_trends",
        "update gold.metric_trends set value = value + 1 where rowid = (select min(rowid) "
        "from gold.metric_trends where value > 0)",
    ),
    "a clock in a text": Fault(
        "day_grain",
        "attempt_errors_daily",
        "update gold.attempt_errors_daily set error_code = 'at 14:05' "
        "where rowid = (select max(rowid) from gold.attempt_errors_daily)",
        (("k_anonymous", "attempt_errors_daily"),),
    ),
    "a raw column in capitals": Fault(
        "no_pii_columns",
        "attempts_daily",
        'alter table gold.attempts_daily add column "EMAIL" varchar',
    ),
    "a gap between buckets": Fault(
        "buckets_cover_every_number",
        "amount_buckets",
        "update silver.amount_buckets set upper_excl = 900 where label = '$0-1000'",
    ),
    "an amount of few people": Fault(
        "amounts_have_people",
        "deposit_attempts_hourly",
        "insert into gold.deposit_attempts_hourly by name select * replace ("
        "timestamp '2020-01-01' as period_start) from gold.deposit_attempts_hourly "
        "where rowid = 0",
        (
            ("k_anonymous", "deposit_attempts_hourly"),
            ("percentiles_have_people", "deposit_attempts_hourly"),
        ),
    ),
    "points that are mostly one person's": Fault(
        "amounts_have_people",
        "contribution_stats",
        "update silver.int_engagement__published_contributions set points = 1000000 "
        "where event_id = (select max(event_id) "
        "from silver.int_engagement__published_contributions where is_published)",
    ),
    "a week that says that it is empty": Fault(
        "k_anonymous",
        "wallet_trends_weekly",
        "update gold.wallet_trends_weekly set entries = 0, subjects = null "
        "where rowid = (select max(rowid) from gold.wallet_trends_weekly where subjects > 0)",
    ),
    "a winner who is told by a place of his own": Fault(
        "cells_have_people",
        "int_engagement__published_challenge_steps",
        "update silver.int_engagement__published_challenge_steps set month_rank = '99' "
        "where event_id = (select max(event_id) "
        "from silver.int_engagement__published_challenge_steps where step = 'won' and is_in_month)",
        (("k_anonymous", "challenge_performance"),),
    ),
    "a median of few people": Fault(
        "percentiles_have_people",
        "response_times_daily",
        "update gold.response_times_daily set p95_ms = 1 where rowid = "
        "(select max(rowid) from gold.response_times_daily where subjects between 10 and 49)",
    ),
    "a day that does not add up": Fault(
        "assert_every_batch_adds_up",
        "",
        "update gold.loss_ledger set balanced = false where rowid = 0",
    ),
    "a word of requests among operations": Fault(
        "about_operations",
        "loss_ledger",
        "alter table gold.loss_ledger add column action varchar",
    ),
    "a refusal of no class": Fault(
        "assert_every_refusal_has_a_class",
        "",
        "update silver.int_platform__landings set refused = refused + 1 where rowid = 0",
    ),
    "a pseudonym of another key": Fault(
        "one_key",
        "stg_access__deposit_attempts",
        "update silver.stg_access__deposit_attempts set email_key = 'v2:' || substr(email_key, 4) "
        "where event_id = (select max(event_id) from silver.stg_access__deposit_attempts "
        "where email_key is not null)",
    ),
    "a pseudonym of another key beneath a view": Fault(
        "one_key",
        "stg_engagement__events",
        "update silver.stg_engagement__events "
        "set submission_key = 'v2:' || substr(submission_key, 4) where event_id = "
        "(select max(event_id) from silver.int_engagement__submissions)",
    ),
    "a column of pseudonyms that no rotation knows": Fault(
        "one_key",
        "int_access__reply_errors",
        "alter table silver.int_access__reply_errors add column person varchar; "
        "update silver.int_access__reply_errors set person = 'v1:' || sha256('a')",
    ),
    "an event that belongs across the ocean": Fault(
        "of_residency",
        "stg_engagement__events",
        "update silver.stg_engagement__events set region = 'us-east1' where event_id = "
        "(select max(event_id) from silver.stg_engagement__events)",
    ),
    "a day of claims that has one more": Fault(
        "k_anonymous",
        "daily_claim_stats",
        "update gold.daily_claim_stats set total_claims = total_claims + 1 where rowid = 0",
    ),
    "a tail of few claims": Fault(
        "percentiles_have_people",
        "daily_claim_stats",
        "update gold.daily_claim_stats set p99_processing_time_ms = 1 where rowid = "
        "(select max(rowid) from gold.daily_claim_stats where total_claims < 50)",
    ),
    "a partner by a hash of nobody": Fault(
        "k_anonymous",
        "fraud_patterns_weekly",
        "update gold.fraud_patterns_weekly set partner_id_hash = 'v1:' || sha256('nobody') "
        "where rowid = 0",
    ),
    "an average of one person's claims": Fault(
        "amounts_have_people",
        "claim_type_features_daily",
        "update gold.claim_type_features_daily set amount_minor = 1 where rowid = 0",
    ),
    "a claim whose outcome is told alone": Fault(
        "outcomes_pass",
        "int_claims__published_claims",
        "update silver.int_claims__published_claims set verified_level = 9 where claim_key = "
        "(select min(claim_key) from silver.int_claims__published_claims where verified_level > 0)",
    ),
    "a class of claims that are nearly all flagged": Fault(
        "l_diverse",
        "int_claims__generalized_claims",
        "update silver.int_claims__generalized_claims as told set is_flagged = true "
        "from (from silver.int_claims__generalized_claims where is_published "
        "order by all limit 1) as chosen where "
        + " and ".join(f"told.{column} = chosen.{column}" for column in CLASS),
    ),
    "a claim in a class of its own": Fault(
        "k_anonymous",
        "claim_events",
        "update gold_restricted.claim_events set age_band = '85+' where claim_id_hash = "
        "(select min(claim_id_hash) from gold_restricted.claim_events)",
    ),
    "an example that is missing": Fault(
        "k_anonymous",
        "fraud_training_set",
        "delete from gold_restricted.fraud_training_set where rowid = 0",
    ),
    "a partner by the hash of gold": Fault(
        "own_domain",
        "claim_events",
        "update gold_restricted.claim_events set partner_id_hash = (select max(partner_id_hash) "
        "from gold.daily_claim_stats) where claim_id_hash = "
        "(select max(claim_id_hash) from gold_restricted.claim_events)",
    ),
    "a decision whose verdict is told alone": Fault(
        "outcomes_pass",
        "int_fraud__published_decisions",
        "update silver.int_fraud__published_decisions set verdict_level = 9 where event_id = "
        "(select min(event_id) from silver.int_fraud__published_decisions where verdict_level > 0)",
    ),
    "a window that has one more": Fault(
        "k_anonymous",
        "fraud_metrics",
        "update gold.fraud_metrics set decisions = decisions + 1 where rowid = "
        "(select min(rowid) from gold.fraud_metrics where time_window = '24h')",
    ),
    "a tail of few decisions": Fault(
        "percentiles_have_people",
        "fraud_metrics",
        "update gold.fraud_metrics set total_p99_ms = 1 where rowid = (select min(rowid) "
        "from gold.fraud_metrics where time_window = '1h' and subjects < 50)",
    ),
    "a model that has one more": Fault(
        "k_anonymous",
        "model_performance_daily",
        "update gold.model_performance_daily set decisions = decisions + 1 where rowid = 0",
    ),
    "a feature that has one more": Fault(
        "k_anonymous",
        "feature_attributions_daily",
        "update gold.feature_attributions_daily set contributions = contributions + 1 "
        "where rowid = 0",
    ),
    "a rule that has one more": Fault(
        "k_anonymous",
        "rule_performance_daily",
        "update gold.rule_performance_daily set evaluated = evaluated + 1 where rowid = 0",
    ),
    "a rule whose truth is told of few": Fault(
        "outcomes_pass",
        "int_fraud__published_rules",
        "update silver.int_fraud__published_rules set truth_level = 2 where (event_id, rule_id) = "
        "(select min((event_id, rule_id)) from silver.int_fraud__published_rules "
        "where truth_level > 0)",
    ),
    "a cohort by a pseudonym of nobody": Fault(
        "k_anonymous",
        "fraud_cohorts",
        "update gold.fraud_cohorts set value_hash = 'v1:' || sha256('nobody') where rowid = "
        "(select min(rowid) from gold.fraud_cohorts where value_hash is not null)",
    ),
    "a feature whose nulls are told alone": Fault(
        "outcomes_pass",
        "int_fraud__published_features",
        "update silver.int_fraud__published_features set unseen_level = 9 where event_id = "
        "(select min(event_id) from silver.int_fraud__published_features where unseen_level > 0)",
    ),
    "a word that few have": Fault(
        "cells_have_people",
        "int_fraud__published_features",
        "update silver.int_fraud__published_features set told_word = unseen_word "
        "where unseen_word is not null",
    ),
    "a day of a feature that has one more": Fault(
        "k_anonymous",
        "feature_drift",
        "update gold.feature_drift set decisions = decisions + 1 where rowid = 0",
    ),
    "the latest of few labels": Fault(
        "percentiles_have_people",
        "feature_drift",
        "update gold.feature_drift set label_delay_p95_hours = 1 "
        "where label_delay_p95_hours is null",
    ),
    "a variant that has one more": Fault(
        "k_anonymous",
        "experiment_results",
        "update gold.experiment_results set decisions = decisions + 1 where rowid = 0",
    ),
    "a guardrail of nobody": Fault(
        "k_anonymous",
        "experiment_guardrails",
        "update gold.experiment_guardrails set variant_id = 'nobody' where rowid = 0",
    ),
    "a replay of one decision more": Fault(
        "k_anonymous",
        "replay_results",
        "update gold.replay_results set decisions = decisions + 1 where rowid = 0",
    ),
    "a change that is not told": Fault(
        "k_anonymous",
        "replay_decision_changes",
        "delete from gold_restricted.replay_decision_changes where rowid = 0",
    ),
    "a transaction under its name in silver": Fault(
        "own_domain",
        "replay_decision_changes",
        "update gold_restricted.replay_decision_changes set transaction_hash = "
        "(select max(transaction_key) from silver.int_fraud__published_replays) where rowid = 1",
    ),
    "what came of a replay, told too finely": Fault(
        "outcomes_pass",
        "int_fraud__published_replays",
        "update silver.int_fraud__published_replays set verdict_level = 9 where event_id = "
        "(select min(event_id) from silver.int_fraud__published_replays where verdict_level > 0)",
    ),
    "money that nobody accounts for": Fault(
        "assert_every_money_event_is_counted_or_quarantined",
        "",
        "delete from silver.int_gaming__quarantined",
    ),
}
