"""The demo's claims a second time: pandas, from the files as they were sent.

Shares no code with the project. What is told of which period, what is merged, and how finely it is
told what became of a claim, is written here once more from docs/claims.md.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path

import duckdb
import pandas as pd

K = 10
PERIODS = ("day", "week", "month")
PLACED_BY = ["partner", "kind", "region"]
LABELS = ["kind", "region", "partner", "bucket", "currency", "band"]
EDGES = [0, 1_000, 5_000, 10_000, 50_000]
BUCKETS = ["$0-1000", "$1000-5000", "$5000-10000", "$10000-50000", "$50000+"]
BANDS = ["night", "morning", "afternoon", "evening"]
TOLD_BY = {
    "verified": [["month", "partner"], ["kind"], ["region"], ["told", "start"]],
    "suspicion": [["month"], ["partner"], ["kind"], ["region"], ["told", "start"], ["bucket"]],
}
ALIKE = 0.8

Test = Callable[[pd.DataFrame], bool]


def events_of(folder: Path) -> pd.DataFrame:
    """Every event that is to be accepted, once and in snake_case."""
    rows = {}
    for path in sorted(folder.glob("claim_events-*")):
        for line in path.read_text(encoding="utf-8").splitlines():
            row = {re.sub("([A-Z])", r"_\1", k).lower(): v for k, v in json.loads(line).items()}
            if "customer_name" not in row:
                rows[row["event_id"]] = row
    events = pd.DataFrame(rows.values())
    events["at"] = pd.to_datetime(events["timestamp"], utc=True).dt.tz_localize(None)
    return events.sort_values(["at", "event_id"])


def claims_of(events: pd.DataFrame) -> pd.DataFrame:
    """One row per claim. In the demo, what is said of a claim is said once."""
    of_type = dict(list(events.groupby("event_type")))
    claims = of_type["claim_submitted"].set_index("claim_id")
    decided = of_type["claim_verified"].set_index("claim_id")
    times = events[events["event_type"] != "api_call"].groupby("claim_id")["processing_time_ms"]
    day = claims["at"].dt.normalize()
    month = day.dt.to_period("M").dt.start_time
    week = day - pd.to_timedelta(day.dt.day_of_week, unit="D")
    place = claims["location"].map(lambda at: f"{at['country']}-{at['state']}".lower())
    return pd.DataFrame(
        {
            "person": claims["customer_id"],
            "partner": claims["partner_id"],
            "kind": claims["claim_type"],
            "region": place,
            "bucket": pd.cut(
                claims["claim_amount"], [*EDGES, float("inf")], right=False, labels=BUCKETS
            ).astype(str),
            "currency": claims["currency"],
            "band": (claims["at"].dt.hour // 6).map(dict(enumerate(BANDS))),
            "day": day,
            "week": week,
            "part_of_week": week.where(week > month, month),
            "month": month,
            "cents": (claims["claim_amount"] * 100).round().astype(int),
            "score": claims["fraud_score"],
            "ms": (times.max() + 1e-9).round(),
            "is_verified": decided["verification_result"].eq("verified"),
            "is_fraud": decided["is_fraud"],
            "is_flagged": pd.Series(claims.index, claims.index).isin(
                of_type["fraud_detected"]["claim_id"]
            ),
            "proofs": of_type["proof_generated"].groupby("claim_id")["proof_id"].nunique(),
        }
    ).fillna({"is_verified": False, "proofs": 0})


def published(claims: pd.DataFrame) -> pd.DataFrame:
    """The claims that are told, with their labels and the period that they are told of."""
    rest, told = claims, []
    for period, start in zip(PERIODS, ("day", "part_of_week", "month"), strict=True):
        people = rest.groupby([*PLACED_BY, start])["person"].transform("nunique")
        is_told = (people >= K) | (period == "month")
        for _, block in rest[is_told].groupby(start):
            told += _blocks(block.assign(told=period, start=block[start]), LABELS)
        rest = rest[~is_told]
    claims = pd.concat(told)
    for outcome, test in {"verified": _is_told, "suspicion": _suspicion_is_told}.items():
        for level, rows in classes(claims, TOLD_BY[outcome], test):
            claims.loc[rows.index, f"{outcome}_level"] = level
            claims.loc[rows.index, f"{outcome}_class"] = str(rows.index[0])
    return claims


def classes(
    claims: pd.DataFrame, labels: list[list[str]], test: Test
) -> list[tuple[int, pd.DataFrame]]:
    """The claims in classes, and how finely each is told: of how many of these labels."""
    found = []
    for _, cell in claims.groupby(labels[0]):
        found += _split(cell, labels, test, 1) if test(cell) else [(0, cell)]
    return found


def _split(
    cell: pd.DataFrame, labels: list[list[str]], test: Test, level: int
) -> list[tuple[int, pd.DataFrame]]:
    """A class that may be told, cut as finely as its parts and what they leave may be told too."""
    if level == len(labels):
        return [(level, cell)]
    parts = [part for _, part in cell.groupby(labels[level])]
    told = sorted((part for part in parts if test(part)), key=len)
    rest = pd.concat([cell.iloc[:0], *(part for part in parts if not test(part))])
    if len(rest) and not test(rest):
        joins = [n for n, part in enumerate(told) if test(pd.concat([rest, part]))]
        if not joins:
            return [(level, cell)]
        rest = pd.concat([rest, told.pop(joins[0])])
    found = [(level, rest)] if len(rest) else []
    return found + [one for part in told for one in _split(part, labels, test, level + 1)]


def _is_told(rows: pd.DataFrame) -> bool:
    return _none_or_enough(rows, rows["is_verified"].eq(True))


def _suspicion_is_told(rows: pd.DataFrame) -> bool:
    flagged, fraud = rows["is_flagged"].eq(True), rows["is_fraud"].eq(True)
    people = rows.loc[flagged & ~fraud, "person"].nunique()
    return (
        max(flagged.mean(), fraud.mean()) <= ALIKE
        and (people == 0 or people >= K)
        and _none_or_enough(rows, flagged)
        and _none_or_enough(rows, fraud)
    )


def _none_or_enough(rows: pd.DataFrame, part: pd.Series) -> bool:
    """Nobody or k people are in it, and in what it leaves."""
    people = [rows.loc[some, "person"].nunique() for some in (part, ~part)]
    return all(number == 0 or number >= K for number in people)


def _blocks(rows: pd.DataFrame, labels: list[str]) -> list[pd.DataFrame]:
    """The rows with the labels merged, each within those before it."""
    if rows["person"].nunique() < K:
        return []
    if not labels:
        return [rows]
    label, *others = labels
    sizes = rows.groupby(label).agg(people=("person", "nunique"), claims=("person", "size"))
    small = set(sizes.index[sizes["people"] < K])
    if small and rows.loc[rows[label].isin(small), "person"].nunique() < K:
        large = sizes[sizes["people"] >= K].reset_index()
        small |= set(large.sort_values(["people", "claims", label])[label].head(1))
    merged = rows.assign(**{label: rows[label].where(~rows[label].isin(small), "Other")})
    return [part for _, cell in merged.groupby(label) for part in _blocks(cell, others)]


def partner_hash(vault: Path, partner: str, domain: str = "gold.partner_id") -> str:
    """An HMAC by hand, with the first key."""
    if partner == "Other":
        return partner
    inner, outer = _pads(vault)
    message = f"{domain}\x1f{partner}".encode()
    return "v1:" + hashlib.sha256(outer + hashlib.sha256(inner + message).digest()).hexdigest()


@cache
def _pads(vault: Path) -> tuple[bytes, bytes]:
    with duckdb.connect(str(vault), read_only=True) as salts:
        ((inner, outer),) = salts.execute(
            "select ipad, opad from salts where version = 1"
        ).fetchall()
    return inner, outer
