"""Figures of experiments against scipy, on random data sets, all of them in one run of the models.

ASSAY_LONG=1 tries 500 experiments instead of 40, among which every case must be met; ASSAY_SEED
repeats a run.
"""

from __future__ import annotations

import math
import os
import random
from collections import defaultdict
from collections.abc import Callable
from datetime import date, datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from compiled import compile_models, sandbox
from scipy import stats

EXPERIMENTS = 500 if os.environ.get("ASSAY_LONG") == "1" else 40
CLOSE = 1e-8
STARTED, LABELLED = date(2026, 3, 1), datetime(2026, 4, 1)
VIEWS = ("int_fraud__experiment_arms", "int_fraud__experiment_figures")
MARTS = ("experiment_guardrails", "experiment_results")
SMALLEST = 5  # degrees of freedom of an interval
TAIL_PEOPLE = 50

Row = dict[str, Any]
Sums = tuple[np.ndarray, np.ndarray]
Rows = dict[tuple[str, ...], Row]

# What is added up of a decision, and among which: written down anew, not taken from the project.
METRICS: dict[str, tuple[Callable[[Row], int], Callable[[Row], bool]]] = {
    "conversion_rate": (lambda r: r["is_converted"] is True, lambda r: True),
    "auth_success_rate": (
        lambda r: r["is_authorized"] is True,
        lambda r: r["decision"] == "approved",
    ),
    "manual_review_rate": (lambda r: r["decision"] == "review", lambda r: True),
    "approval_rate": (lambda r: r["decision"] == "approved", lambda r: True),
    "precision": (
        lambda r: r["is_fraud"] is True,
        lambda r: r["is_positive"] and r["is_fraud"] is not None,
    ),
    "recall": (lambda r: r["is_positive"], lambda r: r["is_fraud"] is True),
    "fraud_rate": (lambda r: r["is_fraud"] is True, lambda r: r["is_fraud"] is not None),
    "false_positive_cost": (lambda r: r["false_positive_cost_minor"] or 0, lambda r: True),
}


@pytest.fixture(scope="module")
def models() -> dict[str, Any]:
    return compile_models(" ".join((*VIEWS, *MARTS)))


def decision(dice: random.Random, experiment: str, variant: str, person: int, shares: Row) -> Row:
    decided = dice.choices(("approved", "declined", "review"), shares["decided"])[0]
    is_positive = decided != "approved"
    is_fraud = dice.choices((True, False, None), shares["fraud"])[0]
    return {
        "started_on": STARTED,
        "experiment_id": experiment,
        "variant_id": variant,
        "subject_key": f"{variant}{person}",
        "decision": decided,
        "is_positive": is_positive,
        "is_fraud": is_fraud,
        "is_converted": dice.choices((True, False, None), shares["converted"])[0],
        "is_authorized": dice.choices((True, None), shares["authorized"])[0],
        "false_positive_cost_minor": dice.choice((0, 5, 900, None))
        if is_positive and is_fraud is False
        else None,
        "total_latency_ms": dice.choice((10.0, 20.5, dice.expovariate(1 / 50))),
    }


def experiment(dice: random.Random, name: str) -> tuple[list[Row], list[Row], list[Row]]:
    """Its variants, decisions and guardrails: some are empty, of few people, or all alike."""
    variants = ["control", "b", "c"][: dice.choice((1, 2, 2, 3))]
    weights = [dice.choice((1, 1, 2)) for _ in variants]
    set_up = [
        {
            "experiment_id": name,
            "variant_id": variant,
            "started_on": STARTED,
            "status": "running",
            "primary_metric": dice.choice([*METRICS, "latency_p95", None]),
            "expected_share": weight / sum(weights),
            "is_control": variant == "control",
        }
        for variant, weight in zip(variants, weights, strict=True)
    ]
    for row in set_up:
        row["primary_metric"] = set_up[0]["primary_metric"]
    rows = []
    size = dice.choice((1, 3, 12, 60, 90))
    for variant in variants:
        shares = {
            "decided": dice.choice([(1, 0, 0), (0, 1, 0), (6, 2, 1), (6, 2, 2)]),
            "fraud": dice.choice([(1, 0, 0), (0, 1, 0), (0, 0, 1), (2, 3, 1), (3, 3, 1)]),
            "converted": dice.choice([(1, 0, 0), (0, 1, 0), (5, 5, 1), (6, 4, 1)]),
            "authorized": dice.choice([(1, 0), (0, 1), (5, 4)]),
        }
        people = 0 if dice.random() < 0.1 else max(1, round(size * dice.uniform(0.6, 1.4)))
        for person in range(people):
            for _ in range(dice.choice((1, 1, 1, 2, 5))):
                rows.append(decision(dice, name, variant, person, shares))
    guardrails = [
        {
            "experiment_id": name,
            "started_on": STARTED,
            "metric": metric,
            "direction": dice.choice(("above", "below")),
            "threshold": dice.choice(limits),
            "action": "alert",
        }
        for metric, limits in {
            "conversion_rate": (0.0, 0.45, 0.5, 1.0),
            "auth_success_rate": (0.5, 0.55),
            "manual_review_rate": (0.0, 0.15, 0.2),
            "latency_p95": (90.0, 120.0, 150.0),
        }.items()
    ]
    return set_up, rows, guardrails


class Shown:
    """The marts of random experiments, and the rows that they are made of."""

    def __init__(self, models: dict[str, Any], dice: random.Random) -> None:
        made = [experiment(dice, f"e{number}") for number in range(EXPERIMENTS)]
        self.variants, self.decisions, self.guardrails = (
            [row for each in made for row in each[part]] for part in range(3)
        )
        published = [
            {
                **row,
                "is_published": True,
                "labelled_at": LABELLED,
                "verdict_level": 2,
                "truth_level": 2,
                "has_conversion": True,
                "has_authorization": True,
                "has_cost": True,
            }
            for row in self.decisions
        ]
        tables = {
            "int_fraud__published_experiments": published,
            "int_fraud__experiment_variants": self.variants,
            "int_fraud__experiment_guardrails": self.guardrails,
        }
        with sandbox() as database:
            database.execute("attach ':memory:' as warehouse")
            database.execute("create schema warehouse.silver; create schema warehouse.gold")
            for name, rows in tables.items():
                database.register("given", pa.Table.from_pylist(rows))
                database.execute(f"create table warehouse.silver.{name} as from given")
            for name in (*VIEWS, *MARTS):
                node = models[name]
                database.execute(f"create table {node['relation_name']} as {node['compiled_code']}")
            self.arms, self.guarded, self.results = (
                self._rows(database, models[name]["relation_name"], keys)
                for name, keys in (
                    (VIEWS[0], ("experiment_id", "variant_id")),
                    (MARTS[0], ("experiment_id", "variant_id", "metric")),
                    (MARTS[1], ("experiment_id", "variant_id", "metric")),
                )
            )
        self.people: dict[tuple[str, str], dict[str, list[Row]]] = {}
        for row in self.decisions:
            of_variant = self.people.setdefault(
                (row["experiment_id"], row["variant_id"]), defaultdict(list)
            )
            of_variant[row["subject_key"]].append(row)

    def _rows(self, database: Any, relation: str, keys: tuple[str, ...]) -> Rows:
        found = database.sql(f"from {relation}").to_arrow_table().to_pylist()
        rows = {tuple(row[key] for key in keys): row for row in found}
        assert len(rows) == len(found)
        return rows

    def sums(self, name: str, variant: str, metric: str, beyond: float = math.nan) -> Sums:
        """Both sums of each person that has something of the denominator."""
        of, among = METRICS.get(metric, (lambda r: r["total_latency_ms"] > beyond, lambda r: True))
        parts, wholes = [], []
        for rows in self.people.get((name, variant), {}).values():
            counted = [row for row in rows if among(row)]
            if counted:
                parts.append(sum(int(of(row)) for row in counted))
                wholes.append(len(counted))
        return np.array(parts, dtype=float), np.array(wholes, dtype=float)


@pytest.fixture(scope="module")
def shown(models: dict[str, Any], dice_of_module: random.Random) -> Shown:
    return Shown(models, dice_of_module)


def ratio_of(sums: Sums) -> tuple[float, float, int]:
    """Ratio of sums, its standard deviation per unit by the delta method, and the units.

    From variances and covariance, as it is in textbooks; nan where nothing or one is there.
    """
    parts, wholes = sums
    if not len(parts):
        return math.nan, math.nan, 0
    ratio = parts.sum() / wholes.sum()
    if len(parts) == 1:
        return ratio, math.nan, 1
    if (parts * wholes.sum() == wholes * parts.sum()).all():
        return ratio, 0.0, len(parts)
    spread = np.cov(parts, wholes)
    variance = spread[0, 0] - 2 * ratio * spread[0, 1] + ratio**2 * spread[1, 1]
    return ratio, math.sqrt(variance) / wholes.mean(), len(parts)


def agree(found: float | None, expected: float, *place: object) -> None:
    if math.isnan(expected):
        assert found is None, (found, *place)
    else:
        assert found is not None, (expected, *place)
        assert found == pytest.approx(expected, rel=CLOSE, abs=CLOSE), place


def welch(
    one: tuple[float, float, int], two: tuple[float, float, int]
) -> tuple[float, float, float]:
    """p-value and interval of the difference, by scipy; nan where people do not differ."""
    (mean, deviation, size), (other, other_deviation, other_size) = one, two
    if not (deviation + other_deviation > 0):
        return math.nan, math.nan, math.nan
    test = stats.ttest_ind_from_stats(
        mean, deviation, size, other, other_deviation, other_size, equal_var=False
    )
    a, b = deviation**2 / size, other_deviation**2 / other_size
    freedom = (a + b) ** 2 / (a**2 / (size - 1) + b**2 / (other_size - 1))
    reach = stats.t.ppf(0.975, freedom) * math.sqrt(a + b) if freedom >= SMALLEST else math.nan
    return float(test.pvalue), mean - other - reach, mean - other + reach


def test_lifts_are_tested_as_by_scipy(shown: Shown) -> None:
    """Absolute, and relative to the control, whose own variance is in both."""
    met = defaultdict(int)
    for (name, variant, metric), row in shown.results.items():
        if metric == "latency_p95":
            continue
        sums = shown.sums(name, variant, metric)
        one, control = ratio_of(sums), ratio_of(shown.sums(name, "control", metric))
        agree(row["metric_value"], one[0], name, variant, metric)
        if variant == "control":
            assert row["absolute_lift"] is None and row["is_significant"] is None
            continue
        agree(row["absolute_lift"], one[0] - control[0], name, variant, metric)
        p_value, low, high = welch(one, control)
        agree(row["absolute_p_value"], p_value, name, variant, metric)
        agree(row["absolute_lift_low"], low, name, variant, metric)
        agree(row["absolute_lift_high"], high, name, variant, metric)
        base = control[0] or math.nan
        share = one[0] / base
        relative = welch(
            (share, one[1] / base, one[2]), (1.0, share * control[1] / base, control[2])
        )
        agree(row["relative_lift"], share - 1, name, variant, metric)
        agree(row["relative_p_value"], relative[0], name, variant, metric)
        agree(row["relative_lift_low"], relative[1], name, variant, metric)
        agree(row["relative_lift_high"], relative[2], name, variant, metric)
        deciding = p_value if math.isnan(relative[0]) else relative[0]
        assert row["is_significant"] == (None if math.isnan(deciding) else deciding < 0.05)
        met["tested"] += not math.isnan(deciding)
        met["significant"] += bool(row["is_significant"])
        met["empty"] += one[2] == 0
        met["alike"] += one[1] == 0
        met["of no baseline"] += control[0] == 0 and not math.isnan(p_value)
        if set(sums[1]) == {1.0} and set(shown.sums(name, "control", metric)[1]) == {1.0}:
            plain = stats.ttest_ind(
                sums[0], shown.sums(name, "control", metric)[0], equal_var=False
            )
            if not math.isnan(p_value):
                agree(row["absolute_p_value"], float(plain.pvalue), name, variant, metric)
                met["plain"] += 1
    print(dict(met))
    assert min(met[key] for key in ("tested", "significant", "empty", "alike")) > 0
    # Rarer than one in forty experiments, now and then.
    assert min(met["plain"], met["of no baseline"]) > 0 or EXPERIMENTS < 500


def test_splits_are_tested_as_by_scipy(shown: Shown) -> None:
    by_experiment: dict[str, list[Row]] = defaultdict(list)
    for row in shown.variants:
        by_experiment[row["experiment_id"]].append(row)
    flagged = set()
    for name, variants in by_experiment.items():
        observed = [len(shown.people.get((name, row["variant_id"]), ())) for row in variants]
        if not sum(observed):
            assert not any(key[0] == name for key in shown.arms)
            continue
        expected = [row["expected_share"] * sum(observed) for row in variants]
        p_value = stats.chisquare(observed, expected).pvalue if len(observed) > 1 else math.nan
        for row, people in zip(variants, observed, strict=True):
            arm = shown.arms[name, row["variant_id"]]
            assert arm["subjects"] == people
            agree(arm["actual_share"], people / sum(observed), name)
            agree(arm["ratio_p_value"], float(p_value), name)
            assert arm["has_ratio_mismatch"] == (p_value < 0.01)
            flagged.add(arm["has_ratio_mismatch"])
    assert flagged == {True, False} or EXPERIMENTS < 500


def test_guardrails_are_tested_as_by_scipy(shown: Shown) -> None:
    met = set()
    for row in shown.guardrails:
        name, metric, limit = row["experiment_id"], row["metric"], row["threshold"]
        side = 1 if row["direction"] == "above" else -1
        for key, guarded in shown.guarded.items():
            if (key[0], key[2]) != (name, metric):
                continue
            of_people = shown.people.get((name, key[1]), {})
            if metric == "latency_p95":
                told = len(of_people) >= TAIL_PEOPLE
                times = [r["total_latency_ms"] for rows in of_people.values() for r in rows]
                value = float(np.quantile(times, 0.95)) if told else math.nan
                ratio, deviation, size = ratio_of(shown.sums(name, key[1], metric, beyond=limit))
                distance = ratio - 0.05
                found = guarded["current_value"]
                if told:
                    assert found == pytest.approx(value, abs=6e-4)  # whole microseconds
                    value = found
            else:
                ratio, deviation, size = ratio_of(shown.sums(name, key[1], metric))
                value, distance = ratio, ratio - limit
            p_value = math.nan
            if not math.isnan(value) and deviation > 0:
                p_value = float(stats.t.sf(side * distance / deviation * math.sqrt(size), size - 1))
            agree(guarded["current_value"], value, *key)
            agree(guarded["p_value"], p_value, *key)
            is_past = side * (value - limit) > 0
            status = "ok"
            if math.isnan(value):
                status = "untold"
            elif is_past and p_value < 0.05:
                status = "violated"
            elif is_past or abs(value - limit) <= 0.1 * limit:
                status = "warning"
            assert guarded["status"] == status, (key, value, limit, p_value)
            met.add((metric == "latency_p95", status))
    if EXPERIMENTS == 500:
        assert {status for _, status in met} == {"ok", "warning", "violated", "untold"}
        assert (True, "violated") in met


def test_what_follows_is_by_the_rules(shown: Shown) -> None:
    """No winner where traffic went wrong or a guardrail broke; else the best that is better."""
    winners = set()
    for name in {key[0] for key in shown.arms}:
        arms = {key[1]: row for key, row in shown.arms.items() if key[0] == name}
        primary = next(iter(arms.values()))["primary_metric"]
        broken = {
            key[1]
            for key, row in shown.guarded.items()
            if key[0] == name and row["status"] == "violated"
        }
        mismatch = any(arm["has_ratio_mismatch"] for arm in arms.values())
        good = -1 if primary in {"manual_review_rate", "fraud_rate", "false_positive_cost"} else 1
        gains = {}
        for variant in arms:
            row = shown.results.get((name, variant, primary or ""))
            if variant != "control" and row and row["is_significant"]:
                gains[variant] = good * row["absolute_lift"]
        better = {v: g for v, g in gains.items() if g > 0 and v not in broken and not mismatch}
        winner = min(better, key=lambda v: (-better[v], v)) if better else None
        winners.add(winner)
        for variant in arms:
            row = shown.results[name, variant, "recall"]
            assert row["winner"] == winner
            if variant == "control":
                wanted = None
            elif variant == winner:
                wanted = "promote"
            elif not mismatch and (variant in broken or gains.get(variant, 0) < 0):
                wanted = "reject"
            else:
                wanted = "extend"
            assert row["recommendation"] == wanted, (name, variant)
    assert len(winners) > 1 or EXPERIMENTS < 500
