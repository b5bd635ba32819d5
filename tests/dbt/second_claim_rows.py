"""Claims one by one a second time: the classes in which they are told, and what is told of them.

Written once more from docs/claims.md, over the published claims of `second_claims`.
"""

from __future__ import annotations

from collections import defaultdict
from itertools import pairwise
from pathlib import Path

import pandas as pd
from second_claims import K, claims_of, events_of, published

REFERENCE_YEAR = 2026
ALIKE = 0.8
BLOCK = ["told", "start", "partner", "kind", "region", "bucket", "currency", "band"]
CLASS = [*BLOCK, "weekday", "age", "level"]
START = {"day": "day", "week": "part_of_week", "month": "month"}
AGES = [0, 18, 25, 35, 45, 55, 65, 75, 85]
AGE_BANDS = [f"{low}-{high - 1}" for low, high in pairwise(AGES)] + ["85+"]
SPANS = dict.fromkeys(AGE_BANDS[:3], "0-34") | dict.fromkeys(AGE_BANDS[3:6], "35-64")
SCORES = ["<0.1", "0.1-0.3", "0.3-0.6", "0.6-0.8", "0.8+"]
TIMES = ["<100 ms", "100-1000 ms", "1000-10000 ms", "10000 ms+"]
RATES = ["<1%", "1-5%", "5-10%", "10-20%", "20%+"]


def rows_of(folder: Path) -> pd.DataFrame:
    """Every published claim with the labels of its class, and whether that may be told."""
    events = events_of(folder)
    claims = published(claims_of(events))
    sent = events[events["event_type"] == "claim_submitted"].set_index("claim_id")
    decided = events[events["event_type"] == "claim_verified"].set_index("claim_id")
    ages = (REFERENCE_YEAR - sent["customer_birth_year"].astype(int)).reindex(claims.index)
    claims = claims.assign(
        name=claims.index.map(sent["partner_id"]),
        start=[row[START[row["told"]]] for _, row in claims.iterrows()],
        score=_cut(claims["score"], [0.1, 0.3, 0.6, 0.8], SCORES),
        time=_cut(claims["ms"], [100, 1_000, 10_000], TIMES),
        result=decided["verification_result"].reindex(claims.index),
        proven=claims["proofs"] > 0,
        fine_age=_cut(ages, AGES[1:], AGE_BANDS),
        fine_day=claims["day"].dt.day_name().str.lower(),
    )
    told = pd.concat([_in_classes(block) for _, block in claims.groupby(BLOCK)])
    told = pd.concat([_judged(members) for _, members in told.groupby(CLASS)])
    return _with_rates(told, claims_of(events).join(decided["at"].rename("decided_at")))


def _cut(values: pd.Series, edges: list[float], labels: list[str]) -> pd.Series:
    whole = [float("-inf"), *edges, float("inf")]
    return pd.cut(values, whole, right=False, labels=labels).astype(str)


def _in_classes(block: pd.DataFrame) -> pd.DataFrame:
    """The lattice of weekday and age, within one block."""
    people, days, ages = (list(block[name]) for name in ("person", "fine_day", "fine_age"))
    is_day = block["told"].iloc[0] == "day"
    parts = days if is_day else ["weekend" if d[0] == "s" else "working day" for d in days]
    spans = [SPANS.get(age, "65+") for age in ages]
    anyone = ["any"] * len(ages)
    levels = [(days, ages), (parts, ages), (parts, spans), (parts, anyone)]
    labels: dict[int, tuple[int, str, str]] = {}
    for level, columns in enumerate(levels, 1):
        alike: dict[tuple[str, str], list[int]] = defaultdict(list)
        for row, values in enumerate(zip(*columns, strict=True)):
            alike[values].append(row)
        for (day, age), members in alike.items():
            new = [row for row in members if labels.get(row, (level,))[0] == level]
            if _count(people, new) >= K:
                rest = " (other)" if len(new) < len(members) else ""
                told = (day + rest * (level > 1), age + rest * (level > 2))
                labels |= dict.fromkeys(new, (level, *told))
    left = [row for row in range(len(people)) if row not in labels]
    if left and labels and _count(people, left) < K:
        coarsest = max(level for level, _, _ in labels.values())
        classes: dict[tuple[int, str, str], list[int]] = defaultdict(list)
        for row, label in labels.items():
            if label[0] == coarsest:
                classes[label].append(row)
        left += min((_count(people, rows), len(rows), c, rows) for c, rows in classes.items())[3]
    labels |= dict.fromkeys(left, (5, "Other", "Other"))
    told = [labels[row] for row in range(len(people))]
    return block.assign(
        level=[level for level, _, _ in told],
        weekday=days if is_day else [day for _, day, _ in told],
        age=[age for _, _, age in told],
    )


def _count(people: list[str], rows: list[int]) -> int:
    return len({people[row] for row in rows})


def _judged(members: pd.DataFrame) -> pd.DataFrame:
    """Whether the people of a class differ enough to be told of, and their scores."""
    most = ALIKE * members["person"].nunique()
    harms = (
        members["is_flagged"],
        members["is_fraud"].eq(True),
        members["result"].eq("rejected"),
    )
    people = [members.loc[harmed, "person"].nunique() for harmed in harms]
    scores = members.groupby("score")["person"].nunique()
    is_diverse = len(scores) > 1 and scores.max() <= most
    score = members["score"] if is_diverse else None
    return members.assign(is_told=max(people) <= most, score=score)


def _with_rates(told: pd.DataFrame, claims: pd.DataFrame) -> pd.DataFrame:
    """The partner's share of fraud before the period, as it was known then."""
    known: dict[tuple[str, pd.Timestamp, int], str] = {}
    for partner, start in dict.fromkeys(zip(told["partner"], told["start"], strict=True)):
        for days in (7, 30):
            ago = (start - claims["day"]).dt.days
            window = claims[(claims["partner"] == partner) & ago.between(1, days)]
            is_known = window["is_fraud"].eq(True) & (window["decided_at"] < start)
            enough = window["person"].nunique() >= K
            percent = pd.Series([100 * is_known.mean()])
            known[partner, start, days] = (
                str(_cut(percent, [1, 5, 10, 20], RATES)[0]) if enough else "unknown"
            )
    for days in (7, 30):
        told[f"rate_{days}"] = [
            known[partner, start, days]
            for partner, start in zip(told["partner"], told["start"], strict=True)
        ]
    return told
