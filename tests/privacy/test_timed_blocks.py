"""`timed_blocks` against a second implementation, on random tables, and by hand.

ASSAY_LONG=1 tries 600 tables of each size instead of 60; ASSAY_SEED repeats a run.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

import pytest
from timed_space import (
    CATEGORIES,
    CUBE,
    FIXED_SEED,
    FRESH_SEED,
    KEYS,
    LABELS,
    PUBLISHED,
    SIZES,
    Row,
    compiled,
    labelled,
    labelled_plays,
    play,
    plays,
    stake_of,
    stakes_of,
)

SEEDS = pytest.mark.parametrize("seed", [FIXED_SEED, FRESH_SEED], ids=["fixed seed", "fresh seed"])
BY_SIZE = pytest.mark.parametrize("size", SIZES)


def grouped(rows: Iterable[Row], key: Callable[[Row], Any]) -> dict[Any, list[Row]]:
    groups: dict[Any, list[Row]] = defaultdict(list)
    for row in rows:
        groups[key(row)].append(row)
    return dict(groups)


def people_of(rows: list[Row]) -> int:
    """How many have staked something, be it nothing."""
    return len({row["user_key"] for row in rows if row["stake_minor"] is not None} - {None})


def has_stake(rows: list[Row]) -> bool:
    return any(row["stake_minor"] is not None for row in rows)


def may_be_told(rows: list[Row], counted: list[Row], k: int) -> bool:
    """Of the counted are enough, and nobody's stake is more than half of theirs."""
    return people_of(counted) >= k and 2 * max(stakes_of(rows).values()) <= sum(
        stake_of(row) for row in counted
    )


def told_values(
    rows: list[Row], key: Callable[[Row], Any], k: int, counts: Callable[[Row], bool] | None = None
) -> set[Any]:
    """Which values of a key are told, and not in the rest."""

    def counted(members: list[Row]) -> list[Row]:
        return [row for row in members if counts is None or counts(row)]

    def passes(members: list[Row]) -> bool:
        if counts is None and not has_stake(members):
            return len({row["user_key"] for row in members} - {None}) >= k
        return may_be_told(members, counted(members), k)

    def size(value: Any) -> tuple[bool, int, Any]:
        is_last = counts is None and not has_stake(cells[value])
        return is_last, people_of(counted(cells[value])), value

    cells = grouped(rows, key)
    told = {value for value, members in cells.items() if passes(members)}
    rest = [row for value in cells.keys() - told for row in cells[value]]
    if not rest or not told or passes(rest):
        return told
    smallest = min(told, key=size)
    return told - {smallest} if passes(rest + cells[smallest]) else set()


def expected_labels(rows: list[Row], k: int) -> dict[str, Row]:
    """What the docstring of the macro says, in Python: labels by the id of the row."""
    labels = {row["event_id"]: dict.fromkeys(LABELS) | {"is_published": False} for row in rows}
    for members in grouped(rows, lambda row: tuple(row[key] for key in KEYS)).values():
        if told_values(members, lambda row: True, k):
            label(members, labels, k)
    for of_row in labels.values():
        of_row["is_hub"] = bool(of_row["is_hub"])
        of_row |= {name: of_row[name] or "Other" for name in PUBLISHED}
    return labels


def label(rows: list[Row], labels: dict[str, Row], k: int) -> None:
    """Label the rows of one cell of the keys."""

    def published(row: Row) -> tuple[Any, ...]:
        return tuple(labels[row["event_id"]][name] for name in PUBLISHED)

    for row in rows:
        labels[row["event_id"]] |= {"is_published": True, "told_granularity": "1d"}
    merge(rows, ["region", *CATEGORIES], "published", labels, k)
    for place in grouped(rows, lambda row: published(row)[0]).values():
        blocks = grouped(place, published)
        hub = min(blocks, key=lambda block: (-people_of(blocks[block]), block))
        for row in blocks[hub]:
            labels[row["event_id"]]["is_hub"] = True
        label_spans(place, labels, k)
        for block in blocks.keys() - {hub}:
            hours = told_values(blocks[block], hour_of, k)
            for hour, members in grouped(blocks[block], hour_of).items():
                if hour in hours:
                    for row in members:
                        labels[row["event_id"]]["cube_hour"] = hour
                    merge(members, list(CUBE), "cube", labels, k)


def merge(rows: list[Row], names: list[str], prefix: str, labels: dict[str, Row], k: int) -> None:
    """Tell labels one within the other; what is not told is Other."""
    if not names:
        return
    name, *later = names
    told = told_values(rows, lambda row: row[name], k)
    for value, members in grouped(
        rows, lambda row: row[name] if row[name] in told else "Other"
    ).items():
        for row in members:
            labels[row["event_id"]][f"{prefix}_{name}"] = value
        merge(members, later, prefix, labels, k)


def label_spans(
    rows: list[Row], labels: dict[str, Row], k: int, spans: tuple[int, ...] = (60, 5, 1)
) -> None:
    """Tell the hours of a place, the five minutes within them, and the minutes within these."""
    minutes, *shorter = spans

    def start(row: Row) -> datetime:
        return began(row, minutes)

    told = told_values(rows, start, k, lambda row: bool(labels[row["event_id"]]["is_hub"]))
    for value, members in grouped(rows, start).items():
        if value in told:
            for row in members:
                label_of_span, granularity = SPANS[minutes]
                labels[row["event_id"]] |= {label_of_span: value, "told_granularity": granularity}
            if shorter:
                label_spans(members, labels, k, tuple(shorter))


SPANS = {60: ("told_hour", "1h"), 5: ("told_five_minutes", "5m"), 1: ("told_minute", "1m")}


def began(row: Row, minutes: int) -> datetime:
    """When the span of so many minutes began that the row is in."""
    at: datetime = row["settled_at"]
    return at.replace(minute=at.minute - at.minute % minutes, second=0)


def hour_of(row: Row) -> datetime:
    return began(row, 60)


def differing(rows: list[Row], k: int) -> int:
    expected = expected_labels(rows, k)
    return sum({name: row[name] for name in LABELS} != expected[row["event_id"]] for row in rows)


@SEEDS
@BY_SIZE
def test_equals_the_second_implementation(size: str, seed: int) -> None:
    rows = labelled_plays(seed, size)
    different = differing(rows, SIZES[size].k)
    print(f"{size}: {different} of {len(rows)} rows are labelled otherwise")
    assert rows
    assert different == 0


FAULTS = {
    "people without a stake": (
        r"count\(case when \w+ is not null then (person) end\)",
        r"count(\1)",
    ),
    "nothing joins a rest": ("ranked.smallness > 1", "true"),
    "the largest joins a rest": (
        "order by has_weight desc, people, ",
        "order by has_weight desc, people desc, ",
    ),
    "those of the smallest are in the rest": ("count\\(person_of_rest\\)", "count(person)"),
    "what joins may have no weight": ("order by has_weight desc, ", "order by has_weight, "),
    "a parent is split in any case": (r"coalesce\(rests.passes_joined, false\)", "true"),
    "spans of all people": (r"case when \w+.is_hub then (.*?) end as of_hub", r"\1 as of_hub"),
    "the smallest is the hub": ("order by people desc, ", "order by people, "),
    "ties of hubs": (r"(order by people desc, ).*", r"\1published_game_id desc"),
    "days share a place": (r"(dense_rank\(\) over \(order by )day, ", r"\1"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_seen(fault: str) -> None:
    """The comparison is worth something: it turns red for each of these faults of the macro."""
    sql, replaced = re.subn(*FAULTS[fault], compiled()["three"])
    assert replaced
    different = differing(labelled(sql, plays(FIXED_SEED, "three")), SIZES["three"].k)
    print(f"{fault}: {different} rows are labelled otherwise")
    assert different


def test_one_who_outweighs_the_hub_is_told_by_the_day_only() -> None:
    """By hand: at nine and ten 4 people stake 1 on g1, and 3 of them on g2: 4 against 2 at most.

    With 3 for 1 at nine it is 6 against 4, and in both hours together 10 against 6; of the day's 16
    nobody has more than 6.
    """
    stakes = [(game, hour, p) for game in ("g1", "g2") for hour in (9, 10) for p in range(4)]
    rows = [
        play(number, datetime(2026, 1, 1, hour), person, game, 1)
        for number, (game, hour, person) in enumerate(stakes)
        if game == "g1" or person < 3
    ]
    for stake, told in ((1, "1m"), (3, "1d")):
        rows[0]["stake_minor"] = stake
        found = labelled(compiled()["three"], rows)
        assert {(row["is_published"], row["told_granularity"]) for row in found} == {(True, told)}
        assert {row["game_id"] for row in found if row["is_hub"]} == {"g1"}
        assert {row["cube_hour"] is None for row in found if not row["is_hub"]} == {False}
