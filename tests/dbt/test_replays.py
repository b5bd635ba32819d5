"""Replays against a second implementation, on random scenarios and decisions, all in one query.

ASSAY_LONG=1 tries 500 scenarios instead of 40; ASSAY_SEED repeats a run.
"""

from __future__ import annotations

import json
import operator
import os
import random
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest
from compiled import compile_models, sandbox

from loaders import vault
from loaders.erasure.subject import chain
from loaders.home import Home, init_home

SCENARIOS = 500 if os.environ.get("ASSAY_LONG") == "1" else 40
DECISIONS = 60
START = datetime(2026, 3, 1)
MODELS = (
    *("stg_fraud__replay_scenarios", "int_fraud__replay_conditions", "int_fraud__replays"),
    *("int_fraud__decisions_in_replays", "int_fraud__fired_replay_rules"),
    "int_fraud__replayed_decisions",
)
WORDS = ("chip", "online", "5", "5.5", "a word", "'; drop table x; --")
NUMBERS = (0, 5, 5.5, -1, 1e3)
FEATURES = ("velocity", "mode", "age", "none-has-it")
OPERATORS = ("=", "!=", "<", "<=", ">", ">=", "missing", "present", "like")
SCORES = (0.0, 0.25, 0.5, 0.5, 0.75, 1.0)
ACTIONS = {"approve": "approved", "decline": "declined", "review": "review"}
COMPARED: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}

Row = dict[str, Any]


def condition(dice: random.Random) -> Row:
    sign = dice.choices(OPERATORS, [4] * 8 + [0.3])[0]
    sent = {"feature": dice.choice(FEATURES), "operator": sign}
    if sign in ("missing", "present"):
        return sent
    texts = () if sign in COMPARED and dice.random() < 0.97 else WORDS
    return sent | {"value": dice.choice((*NUMBERS, *texts))}


def rule(dice: random.Random, number: int) -> Row:
    conditions = [condition(dice) for _ in range(dice.choice((1, 1, 2, 3)))]
    return {
        "id": f"r{number}",
        "action": dice.choices((*ACTIONS, "explode"), (5, 5, 5, 0.3))[0],
        dice.choice(("all", "any")): conditions,
    }


def overrides(dice: random.Random) -> Row:
    sent: Row = {}
    if dice.random() < 0.7:
        cutoffs = sorted((dice.choice(SCORES), dice.choice(SCORES)))
        if dice.random() < 0.1:
            cutoffs.reverse()
        sent["thresholds"] = {"review": cutoffs[0], "decline": cutoffs[1]}
        if dice.random() < 0.3:
            del sent["thresholds"][dice.choice(("review", "decline"))]
        if dice.random() < 0.5:
            sent["score"] = {"scale": dice.choice((0.5, 1, 2)), "offset": dice.choice((-0.25, 0.5))}
    if dice.random() < 0.7:
        sent["rules"] = [rule(dice, number) for number in range(dice.choice((0, 1, 2, 4, 4)))]
    if dice.random() < 0.3:
        sent[dice.choice(("modelVersion", "model_version"))] = dice.choice(("m1", "m2"))
    if dice.random() < 0.3:
        sent[dice.choice(("ruleVersion", "rule_version"))] = dice.choice(("r1", "r2"))
    if dice.random() < 0.05:
        sent["threshold"] = 0.5
    return sent


def scenario(dice: random.Random, number: int) -> Row:
    begins = START + timedelta(hours=dice.randrange(12))
    return {
        "scenario_id": f"s{number}",
        "batch_id": "s",
        "line_number": number,
        "status": "pending",
        "time_window_start": begins.replace(tzinfo=UTC),
        "time_window_end": (begins + timedelta(hours=dice.randrange(0, 24))).replace(tzinfo=UTC),
        "overrides": json.dumps(overrides(dice)),
        **dict.fromkeys(("time_window", "created_at", "completed_at", "updated_at")),
        "ingested_at": START.replace(tzinfo=UTC),
    }


def decision(dice: random.Random, number: int) -> tuple[Row, Row]:
    """A decision and the features that it was made with."""
    features: Row = {
        name: dice.choice((*NUMBERS, *WORDS)) for name in FEATURES[:3] if dice.random() < 0.7
    }
    decided = dice.choice(list(ACTIONS.values()))
    return {
        "event_id": f"e{number}",
        "transaction_key": f"t{number}",
        "subject_key": f"p{number}",
        "decision": decided,
        "is_positive": decided != "approved",
        "is_fraud": None,
        "false_positive_cost_minor": None,
        "currency": "EUR",
        "final_score": dice.choice((*SCORES, dice.random())),
        "model_version": dice.choice(("m1", "m2")),
        "rule_version": dice.choice(("r1", "r2")),
        "decided_at": START + timedelta(hours=dice.randrange(36)),
    }, features


def typed(value: Any) -> Any:
    """Numbers are numbers also as texts; of texts neither case nor blanks count."""
    try:
        return float(value)
    except ValueError:
        return "".join(value.lower().split())


def stored(value: Any, keys: list[vault.Key]) -> Row:
    """What silver has of the value of a feature."""
    if isinstance(value, float):
        return {"number_value": value, "text_key": None}
    return {"number_value": None, "text_key": chain("fraud.feature_value", value, keys)[-1]}


def is_met(asked: Row, features: Row) -> bool:
    found, sign = features.get(asked["feature"]), asked["operator"]
    if sign == "missing" or found is None:
        return sign == "missing" and found is None
    if sign == "present":
        return True
    found, wanted = typed(found), typed(asked["value"])
    if sign in ("=", "!="):
        return (found == wanted) == (sign == "=")
    return isinstance(found, float) and COMPARED[sign](found, wanted)


def is_rule(sent: Row) -> bool:
    return sent["action"] in ACTIONS and all(
        one["operator"] != "like"
        and (one["operator"] not in COMPARED or isinstance(typed(one["value"]), float))
        for one in sent.get("all", sent.get("any"))
    )


def fault(row: Row, sent: Row) -> str | None:
    cutoffs = sent.get("thresholds")
    if row["time_window_start"] >= row["time_window_end"]:
        return "no_time_window"
    if "threshold" in sent:
        return "unknown_override"
    if cutoffs is None and "rules" not in sent:
        return "nothing_overridden"
    if cutoffs and cutoffs.get("review", 0) > cutoffs.get("decline", 1):
        return "wrong_thresholds"
    rules = sent.get("rules")
    if rules is not None and not (rules and all(map(is_rule, rules))):
        return "wrong_rules"
    return None


def replayed(row: Row, features: Row, sent: Row) -> tuple[str, float]:
    """What would have been decided, and by which score."""
    score = row["final_score"]
    if "score" in sent:
        of_model = sent.get("modelVersion", sent.get("model_version", row["model_version"]))
        if of_model == row["model_version"]:
            score = score * sent["score"]["scale"] + sent["score"]["offset"]
    score = min(max(score, 0.0), 1.0)
    of_rules = sent.get("ruleVersion", sent.get("rule_version", row["rule_version"]))
    for one in sent.get("rules", []) if of_rules == row["rule_version"] else []:
        asked = all if "all" in one else any
        if asked(is_met(each, features) for each in one.get("all", one.get("any"))):
            return ACTIONS[one["action"]], score
    cutoffs = sent.get("thresholds")
    if cutoffs is None:
        return row["decision"], score
    if score >= cutoffs.get("decline", 2):
        return "declined", score
    return ("review" if score >= cutoffs.get("review", 2) else "approved"), score


class Replayed:
    """Random scenarios put to random decisions, by the models."""

    def __init__(self, models: dict[str, Any], dice: random.Random, home: Home) -> None:
        self.scenarios = [scenario(dice, number) for number in range(SCENARIOS)]
        self.decisions = [decision(dice, number) for number in range(DECISIONS)]
        with sandbox(home) as database:
            database.execute("attach ':memory:' as warehouse")
            database.execute("create schema warehouse.silver; use warehouse.silver")
            database.execute("create type float64 as double")
            keys = vault.read_keys(home.vault)
            values = [
                {"event_id": row["event_id"], "feature": name} | stored(typed(value), keys)
                for row, features in self.decisions
                for name, value in features.items()
            ]
            for name, rows in {
                "bronze": self.scenarios,
                "int_fraud__decisions": [row for row, _ in self.decisions],
                "int_fraud__feature_values": values,
            }.items():
                database.register("given", pa.Table.from_pylist(rows))
                database.execute(f"create table {name} as from given")
            for column in ("created_at", "completed_at", "updated_at"):
                database.execute(f"alter table bronze alter {column} type timestamptz")
            database.execute("alter table bronze alter time_window type varchar")
            for name in MODELS:
                sql = models[name]["compiled_code"]
                if name == MODELS[0]:  # bronze is files, and here a table
                    sql = re.sub(r"read_parquet\(.*?\)\n", "bronze\n", sql, flags=re.DOTALL)
                relation = models[name]["relation_name"]
                database.execute(f"create table {relation} as {sql}")
            self.faults = dict(
                database.sql("select scenario_id, fault from int_fraud__replays").fetchall()
            )
            found = database.sql(
                "select scenario_id, event_id, replay_decision, score_delta "
                "from int_fraud__replayed_decisions"
            ).fetchall()
        self.found = {(name, event): rest for name, event, *rest in found}
        assert len(self.found) == len(found)


@pytest.fixture(scope="module")
def shown(dice_of_module: random.Random, tmp_path_factory: pytest.TempPathFactory) -> Replayed:
    home = init_home(tmp_path_factory.mktemp("replays") / "home")[0]
    return Replayed(compile_models(" ".join(MODELS)), dice_of_module, home)


def test_faults_are_those_of_the_second_implementation(shown: Replayed) -> None:
    wanted = {
        row["scenario_id"]: fault(row, json.loads(row["overrides"])) for row in shown.scenarios
    }
    assert shown.faults == wanted
    assert None in wanted.values() and set(wanted.values()) != {None}


def test_decisions_are_those_of_the_second_implementation(shown: Replayed) -> None:
    wanted = {}
    for row in shown.scenarios:
        sent = json.loads(row["overrides"])
        if fault(row, sent) is None:
            begins, ends = (
                row[f"time_window_{end}"].replace(tzinfo=None) for end in ("start", "end")
            )
            for made, features in shown.decisions:
                if begins <= made["decided_at"] < ends:
                    decided, score = replayed(made, features, sent)
                    delta = score - made["final_score"]
                    wanted[row["scenario_id"], made["event_id"]] = [decided, delta]
    assert shown.found.keys() == wanted.keys()
    assert {key for key in wanted if shown.found[key] != wanted[key]} == set()
    before = {made["event_id"]: made["decision"] for made, _ in shown.decisions}
    changed = {key for key, (decided, _) in wanted.items() if decided != before[key[1]]}
    assert changed and len(changed) < len(wanted)
