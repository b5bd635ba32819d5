"""Demo events of the product: weeks at a challenge platform, and days of play at games.

The challenge platform and the game servers each send in a spelling of their own. Planted, with
their figures in the answer key:

- what `engagement.py` plants in the weeks of the challenge platform, and `gaming.py` at the games;
- every decision about an entry is about one that was handed in, three in ten against it;
- what the registry does not take, and what waits among the dead letters for it: types that are not
  declared, a major version that is not read, payloads that do not fit, a region of elsewhere;
- a newer minor version, which lands, rows delivered twice, and rows days late.
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from loaders.demo.engagement import CATEGORIES, DAYS, happenings, planted
from loaders.demo.gaming import NO_RATE, days_of_play, play
from loaders.demo.gaming_books import make_rates, write_rates

EXACT_SHARE = 0.02  # of the events of games
LATE_SHARE = 0.01  # of the events of the challenge platform, all of its days but the last two

VERSIONS = ("1.0.0", "1.4.0")

REFUSED: tuple[tuple[str, dict[str, Any]], ...] = (
    ("schema_unknown", {"event_type": "tournament.joined"}),
    ("schema_unknown", {"event_type": "bet.cashed_out"}),
    ("schema_version_unsupported", {"schema_version": "2.0.0"}),
    ("schema_violation", {"payload": {"bet_id": "bet-x", "currency": "EUR"}}),
    ("schema_violation", {"payload": {"bet_id": "bet-y", "stake_minor": 12.5}}),
    ("residency_violation", {"region": "us-east1"}),
)

FILES = ("platform_events-01.jsonl", "platform_events-02.jsonl", "platform_events-03-late.jsonl")
PRODUCERS = ("demo-challenges-1", "demo-games-1")

Event = dict[str, Any]


def write_platform_events(folder: Path, events: int, seed: int, end: datetime) -> dict[str, Any]:
    """Write the demo files of `platform_events`, and return their part of the answer key."""
    rng = np.random.Generator(np.random.PCG64([seed, 2]))
    weeks_ago = end - timedelta(days=DAYS)
    of_challenges = _numbered(_platform(rng, events, weeks_ago, end), PRODUCERS[0])
    days = days_of_play(events, end)
    rates = make_rates(rng, days, missing=(NO_RATE, days[0]))
    of_games, games_key = play(rng, events, end, rates)
    sent = [of_challenges, _numbered(of_games, PRODUCERS[1])]
    challenges, games = (
        [_as_challenges_spell(row) for row in sent[0]],
        _as_games_spell(rng, sent[1]),
    )
    late = _late(rng, challenges, end)
    in_time = [row for number, row in enumerate(challenges) if number not in late]
    belated = [challenges[number] for number in sorted(late)]
    again = sorted(rng.choice(len(games), round(len(games) * EXACT_SHARE), replace=False))
    refused = [
        games[0] | {"event_id": f"refused-{number}", "event_type": "bet.placed"} | changes
        for number, (_, changes) in enumerate(REFUSED)
    ]
    _write(folder / FILES[0], in_time)
    _write(folder / FILES[1], [*games, *(games[number] for number in again), *refused])
    _write(folder / FILES[2], belated)
    accepted = [*sent[0], *sent[1]]
    return {
        "distinct_events": len(accepted),
        "types": dict(sorted(Counter(row["event_type"] for row in accepted).items())),
        "planted": planted(weeks_ago),
        "submissions": _submissions(sent[0]),
        "stakes": _stakes(sent[1]),
        "games": games_key | {"rates": write_rates(folder, rates)},
        "sequences": {
            producer: [1, len(rows)] for producer, rows in zip(PRODUCERS, sent, strict=True)
        },
        "duplicates": {"exact": len(again)},
        "files": {
            FILES[0]: {"received": len(in_time), "accepted": len(in_time), "rejected": {}},
            FILES[1]: {
                "received": len(games) + len(again) + len(refused),
                "accepted": len(games) + len(again),
                "rejected": dict(sorted(Counter(code for code, _ in REFUSED).items())),
            },
            FILES[2]: {"received": len(belated), "accepted": len(belated), "rejected": {}},
        },
    }


def _platform(
    rng: np.random.Generator, events: int, start: datetime, end: datetime
) -> Iterator[Event]:
    """What happens at the challenge platform until `end`."""
    for at, user, event_type, payload in happenings(rng, events, start):
        if at < end:
            yield {
                "event_type": event_type,
                "occurred_at": _time(at),
                "user_id": user,
                "payload": payload,
            }


def _numbered(rows: Iterable[Event], producer: str) -> list[Event]:
    """Events in order of time, with the id and number that their producer gives them."""
    in_order = sorted(rows, key=lambda row: row["occurred_at"])
    return [
        row | {"event_id": f"{producer}-{number}", "producer": producer, "sequence": number}
        for number, row in enumerate(in_order, 1)
    ]


def _late(rng: np.random.Generator, rows: list[Event], end: datetime) -> set[int]:
    """Places of the rows that come days late."""
    earlier = sum(row["timestamp"] < _time(end - timedelta(days=2)) for row in rows)
    return set(rng.choice(earlier, round(earlier * LATE_SHARE), replace=False).tolist())


def _as_challenges_spell(row: Event) -> Event:
    """An event as the challenge platform sends it."""
    return {
        "id": row["event_id"],
        "type": row["event_type"],
        "timestamp": row["occurred_at"],
        "userId": row["user_id"],
        "metadata": {_camel(name): value for name, value in row["payload"].items()},
        "producer": row["producer"],
        "sequence": row["sequence"],
    }


def _as_games_spell(rng: np.random.Generator, rows: list[Event]) -> list[Event]:
    """Events as the game servers send them."""
    return [
        {
            "event_id": row["event_id"],
            "event_type": row["event_type"],
            "occurred_at": row["occurred_at"],
            "ingested_at": row["occurred_at"].replace("Z", f".{rng.integers(150, 1000)}Z"),
            "tenant_id": row["tenant_id"],
            "region": row["region"],
            "player_id": row["user_id"],
            "trace_id": f"trace-{row['event_id']}",
            "schema_version": _one(rng, VERSIONS),
            "payload": row["payload"],
            "producer": row["producer"],
            "sequence": row["sequence"],
        }
        for row in rows
    ]


def _submissions(rows: list[Event]) -> dict[str, dict[str, int]]:
    """Entries by what became of them and category, as silver spells both."""
    counts: dict[str, dict[str, int]] = {}
    for row in rows:
        subject, _, step = row["event_type"].partition(".")
        if subject == "submission":
            category = CATEGORIES[row["payload"]["category"]]
            of_step = counts.setdefault(step, {})
            of_step[category] = of_step.get(category, 0) + 1
    return counts


def _stakes(rows: list[Event]) -> dict[str, int]:
    """Sum of the stakes of bets that were placed, by currency."""
    sums: Counter[str] = Counter()
    for row in rows:
        if row["event_type"] == "bet.placed":
            sums[row["payload"]["currency"]] += row["payload"]["stake_minor"]
    return dict(sorted(sums.items()))


def _one(rng: np.random.Generator, words: tuple[str, ...]) -> str:
    return words[rng.integers(len(words))]


def _camel(name: str) -> str:
    head, *tail = name.split("_")
    return head + "".join(map(str.capitalize, tail))


def _time(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def _write(path: Path, rows: list[Event]) -> None:
    text = "".join(json.dumps(row) + "\n" for row in rows)
    path.write_text(text, encoding="utf-8", newline="\n")
