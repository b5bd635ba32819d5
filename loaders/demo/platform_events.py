"""Demo events of the product: stories of people at challenges, and of people at games.

The challenge platform and the game servers each send in a spelling of their own. Planted, with
their figures in the answer key:

- every decision about an entry is about one that was handed in, three in ten against it;
- what the registry does not take, and what waits among the dead letters for it: types that are not
  declared, a major version that is not read, payloads that do not fit, a region of elsewhere;
- a newer minor version, which lands, and rows delivered twice.
"""

import json
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from loaders.demo.attempts import EVENTS_PER_DAY, EVENTS_PER_PERSON, MIN_DAYS

EVENTS_PER_STORY = 130  # of `attempts`; a story of each kind
STORY_SECONDS = 36 * 3600  # that a story lasts at most
EXACT_SHARE = 0.02  # of the events of games

CHALLENGES, TRACKS = ("spring-sprint", "open-lab", "city-lights"), ("art", "code")
CATEGORIES = {"Short Film": "short_film", "poster": "poster", "App": "app"}  # as sent: as spelled
FILE_TYPES = ("video/mp4", "image/png", "application/zip")
REJECTED_SHARE = 0.3
GAMES = {"g_01": "studio_x", "g_02": "studio_x", "g_03": "studio_y"}
DEVICES, CURRENCIES = ("mobile", "desktop"), ("EUR", "TRY")
VERSIONS = ("1.0.0", "1.4.0")

REFUSED: tuple[tuple[str, dict[str, Any]], ...] = (
    ("schema_unknown", {"event_type": "tournament.joined"}),
    ("schema_unknown", {"event_type": "bet.cashed_out"}),
    ("schema_version_unsupported", {"schema_version": "2.0.0"}),
    ("schema_violation", {"payload": {"bet_id": "bet-x", "currency": "EUR"}}),
    ("schema_violation", {"payload": {"bet_id": "bet-y", "stake_minor": 12.5}}),
    ("residency_violation", {"region": "us-east1"}),
)

FILES = ("platform_events-01.jsonl", "platform_events-02.jsonl")
PRODUCERS = ("demo-challenges-1", "demo-games-1")

Event = dict[str, Any]
# Seconds since the story began, type of event, payload.
Step = tuple[int, str, dict[str, Any]]


def write_platform_events(folder: Path, events: int, seed: int, end: datetime) -> dict[str, Any]:
    """Write the demo files of `platform_events`, and return their part of the answer key."""
    rng = np.random.Generator(np.random.PCG64([seed, 2]))
    start = end - timedelta(days=max(MIN_DAYS, -(-events // EVENTS_PER_DAY)))
    latest = int((end - start).total_seconds()) - STORY_SECONDS
    sent: list[list[Event]] = []
    for story, producer in zip((_challenge, _play), PRODUCERS, strict=True):
        rows = []
        for number in range(events // EVENTS_PER_STORY):
            user = f"player-{rng.integers(events // EVENTS_PER_PERSON) + 1}"
            began = start + timedelta(seconds=int(rng.integers(latest)))
            for place, (after, event_type, payload) in enumerate(story(rng, number)):
                rows.append(
                    {
                        "event_id": f"{producer}-{number}-{place}",
                        "event_type": event_type,
                        "occurred_at": _time(began + timedelta(seconds=after)),
                        "user_id": user,
                        "payload": payload,
                        "producer": producer,
                    }
                )
        rows.sort(key=lambda row: (row["occurred_at"], row["event_id"]))
        sent.append([row | {"sequence": number} for number, row in enumerate(rows, 1)])
    challenges, games = (
        [_as_challenges_spell(row) for row in sent[0]],
        _as_games_spell(rng, sent[1]),
    )
    again = sorted(rng.choice(len(games), round(len(games) * EXACT_SHARE), replace=False))
    refused = [
        games[0] | {"event_id": f"refused-{number}", "event_type": "bet.placed"} | changes
        for number, (_, changes) in enumerate(REFUSED)
    ]
    _write(folder / FILES[0], challenges)
    _write(folder / FILES[1], [*games, *(games[number] for number in again), *refused])
    accepted = [*sent[0], *sent[1]]
    return {
        "distinct_events": len(accepted),
        "types": dict(sorted(Counter(row["event_type"] for row in accepted).items())),
        "submissions": _submissions(sent[0]),
        "stakes": _stakes(sent[1]),
        "sequences": {
            producer: [1, len(rows)] for producer, rows in zip(PRODUCERS, sent, strict=True)
        },
        "duplicates": {"exact": len(again)},
        "files": {
            FILES[0]: {"received": len(challenges), "accepted": len(challenges), "rejected": {}},
            FILES[1]: {
                "received": len(games) + len(again) + len(refused),
                "accepted": len(games) + len(again),
                "rejected": dict(sorted(Counter(code for code, _ in REFUSED).items())),
            },
        },
    }


def _challenge(rng: np.random.Generator, number: int) -> Iterator[Step]:
    """Somebody takes part in a challenge and hands something in, which is decided about."""
    about = {"challenge_id": _one(rng, CHALLENGES), "track_id": _one(rng, TRACKS)}
    entry = {
        "submission_id": f"entry-{number:05}",
        **about,
        "category": _one(rng, tuple(CATEGORIES)),
        "file_type": _one(rng, FILE_TYPES),
        "file_size_bytes": int(rng.integers(10_000, 50_000_000)),
    }
    message = {"notification_id": f"message-{number:05}", "channel": _one(rng, ("email", "sms"))}
    yield 0, "account.login", {}
    yield 60, "challenge.viewed", about
    yield 120, "challenge.joined", about
    yield 7_200, "submission.created", entry
    if rng.random() < REJECTED_SHARE:
        yield 90_000, "submission.rejected", entry
    else:
        yield 90_000, "submission.approved", entry
        yield 90_001, "contribution.recorded", {"category": entry["category"], "points": 10}
        yield (
            90_002,
            "wallet.credit",
            {
                "amount_minor": int(rng.integers(1, 20)) * 100,
                "currency": "EUR",
                "reason": "reward",
                "reward_type": "approval",
                "reference_id": entry["submission_id"],
                "state": _one(rng, ("pending", "available")),
            },
        )
    yield 90_060, "notification.sent", message
    yield 90_065, "notification.delivered", message


def _play(rng: np.random.Generator, number: int) -> Iterator[Step]:
    """Somebody pays in, plays and stops playing."""
    device, currency = _one(rng, DEVICES), _one(rng, CURRENCIES)
    session = {"session_id": f"session-{number:05}", "device": device, "geo": "DE"}
    paid = {
        "payment_id": f"payment-{number:05}",
        "amount_minor": int(rng.integers(5, 50)) * 100,
        "currency": currency,
        "method": "card",
        "device": device,
    }
    yield 0, "session.started", session
    yield 10, "payment.intent", paid
    yield 40, "payment.captured", paid
    yield (
        41,
        "wallet.credit",
        {key: paid[key] for key in ("amount_minor", "currency")}
        | {
            "reason": "deposit",
            "reference_id": paid["payment_id"],
            "state": "available",
        },
    )
    for round_ in range(int(rng.integers(1, 6))):
        game = _one(rng, tuple(GAMES))
        stake = int(rng.integers(1, 50)) * 10
        bet = {
            "bet_id": f"bet-{number:05}-{round_}",
            "stake_minor": stake,
            "currency": currency,
            "in_bonus": False,
            "game_id": game,
            "provider_id": GAMES[game],
            "device": device,
        }
        yield 60 + 30 * round_, "bet.placed", bet
        yield 65 + 30 * round_, "bet.settled", {**bet, "win_minor": stake * int(rng.integers(0, 3))}
    yield 600, "session.ended", session


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
            "ingested_at": row["occurred_at"].replace("Z", ".750Z"),
            "tenant_id": "brand-7",
            "region": "EU",
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
