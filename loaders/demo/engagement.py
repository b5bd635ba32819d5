"""Demo events of a challenge platform: sixteen weeks of people who come back, or do not.

Planted, each with its figures in the answer key:

- a spike: on one day people hand in several entries where they hand in one otherwise;
- a drop: on one day six of seven people stay away;
- a burst: on one day rewards of a campaign come to everybody who is there, and a day later some
  are taken back;
- a wave: on one day a badge comes to everybody who is there;
- balances that wait: a reward is pending for three days, then released.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import numpy as np

WEEKS = 16
DAYS = 7 * WEEKS
VISIT_SHARE = 0.18  # of the members who come on a day
FEWEST_VISITORS = 120  # a day, about
MEMBERS_AT_FIRST = 0.5  # of all members who were there before the first day
ADMINS = 14

# Days since the first, each in another week and none at the edge of one; twelve weeks before them
# say what is usual.
SPIKE_DAY, DROP_DAY, BURST_DAY, WAVE_DAY = 87, 93, 99, 106
SPIKE_ENTRIES, DROP_SHARE = 4, 0.15
BURST_REWARD_MINOR, WAVE_BADGE = 5_000, "anniversary"

CHALLENGES = ("spring-sprint", "open-lab", "city-lights", "night-shift")
TRACKS = ("art", "code")
CATEGORIES = {"Short Film": "short_film", "poster": "poster", "App": "app"}  # as sent: as spelled
FILE_TYPES = ("video/mp4", "image/png", "application/zip")
CHANNELS, CHANNEL_SHARES = ("email", "sms"), (0.7, 0.3)
COUNTRIES, SOURCES = ("DE", "TR", "JP", "BR"), ("search", "friend", "campaign")
ACTIONS = (
    ("entry_decided", "submission"),
    ("payout_checked", "wallet"),
    ("text_edited", "challenge"),
)
PROFILE_FIELDS = 8
REJECTED_SHARE, FAILED_SHARE, UNHEARD_SHARE = 0.3, 0.04, 0.02
RELEASE_DAYS = 3
TAKEN_BACK_SHARE = 0.3  # of the rewards of the burst

# Time, user, type of event, payload.
Happening = tuple[datetime, str, str, dict[str, Any]]


@dataclass
class Member:
    """Somebody on the platform, as far as what was done matters for what may follow."""

    name: str
    since: int  # day of registration, before 0 for those who were there before
    joined: set[str] = field(default_factory=set)
    filled: int = 1


def happenings(rng: np.random.Generator, events: int, start: datetime) -> Iterator[Happening]:
    """Everything that happens in the weeks from `start` on, in no order."""
    visitors = max(FEWEST_VISITORS, events // 500)
    members = _members(rng, round(visitors / VISIT_SHARE))
    number = 0
    for day in range(DAYS):
        share = VISIT_SHARE * (1.0 + 0.15 * np.sin(2 * np.pi * day / 7))
        share *= DROP_SHARE if day == DROP_DAY else 1.0
        morning = start + timedelta(days=day)
        for member in members:
            if member.since > day or (member.since != day and rng.random() > share):
                continue
            at = morning + timedelta(seconds=int(rng.integers(6 * 3600, 22 * 3600)))
            yield from _visit(rng, member, day, at)
            entries = SPIKE_ENTRIES if day == SPIKE_DAY else int(rng.random() < 0.45)
            for _ in range(entries):
                number += 1
                yield from _entry(
                    rng, member, number, at + timedelta(minutes=int(rng.integers(5, 90)))
                )
        for admin in range(ADMINS):
            for _ in range(int(rng.integers(4, 9))):
                action, target = ACTIONS[rng.integers(len(ACTIONS))]
                at = morning + timedelta(seconds=int(rng.integers(8 * 3600, 18 * 3600)))
                done = {"action": action, "target_type": target}
                yield at, f"admin-{admin}", "admin.action", done


def _members(rng: np.random.Generator, total: int) -> list[Member]:
    first = rng.integers(0, DAYS, total)
    before = rng.random(total) < MEMBERS_AT_FIRST
    return [
        Member(f"member-{number}", -1 if was_there else int(day))
        for number, (day, was_there) in enumerate(zip(first, before, strict=True), 1)
    ]


def _visit(rng: np.random.Generator, member: Member, day: int, at: datetime) -> Iterator[Happening]:
    """Somebody comes, looks at a challenge and perhaps takes part, or finishes one."""
    name, minute = member.name, timedelta(minutes=1)
    if member.since == day:
        sent = {"country": _one(rng, COUNTRIES), "currency": "EUR", "channel": _one(rng, SOURCES)}
        yield at - minute, name, "account.registered", sent
    yield at, name, "account.login", {}
    if member.filled < PROFILE_FIELDS and rng.random() < 0.2:
        member.filled += int(rng.integers(1, PROFILE_FIELDS - member.filled + 1))
        filled = {"fields_filled": member.filled, "fields_total": PROFILE_FIELDS}
        yield at + minute, name, "account.profile_updated", filled
    challenge = _one(rng, CHALLENGES)
    about = {"challenge_id": challenge, "track_id": TRACKS[len(challenge) % 2]}
    yield at + 2 * minute, name, "challenge.viewed", about
    if challenge in member.joined:
        if rng.random() < 0.3:
            member.joined.discard(challenge)
            yield at + 3 * minute, name, "challenge.completed", about
            if rng.random() < 0.2:
                won = about | {"rank": int(rng.integers(1, 4))}
                yield at + timedelta(hours=1), name, "challenge.won", won
    elif rng.random() < 0.5:
        member.joined.add(challenge)
        yield at + 3 * minute, name, "challenge.joined", about
    if day == BURST_DAY:
        yield (
            at + 4 * minute,
            name,
            "wallet.credit",
            _reward(BURST_REWARD_MINOR, "campaign", f"burst-{name}", "available"),
        )
        if rng.random() < TAKEN_BACK_SHARE:
            taken = _reward(BURST_REWARD_MINOR, "campaign", f"burst-{name}", "available")
            taken = taken | {"reason": "correction"}
            yield at + timedelta(days=1), name, "wallet.debit", taken
    if day == WAVE_DAY:
        yield at + 4 * minute, name, "badge.awarded", {"badge_id": WAVE_BADGE}
    elif rng.random() < 0.25:
        yield (
            at + 4 * minute,
            name,
            "badge.awarded",
            {"badge_id": _one(rng, ("first_steps", "regular"))},
        )
    if rng.random() < 0.2:
        bought = {
            "amount_minor": int(rng.integers(1, 9)) * 50,
            "currency": "EUR",
            "reason": "purchase",
        }
        yield at + 5 * minute, name, "wallet.debit", bought | {"state": "available"}


def _entry(
    rng: np.random.Generator, member: Member, number: int, at: datetime
) -> Iterator[Happening]:
    """An entry is handed in, decided about the day after, and rewarded where it is approved."""
    name, challenge = member.name, _one(rng, CHALLENGES)
    entry: dict[str, Any] = {
        "submission_id": f"entry-{number:06}",
        "challenge_id": challenge,
        "track_id": TRACKS[len(challenge) % 2],
        "category": _one(rng, tuple(CATEGORIES)),
        "file_type": _one(rng, FILE_TYPES),
        "file_size_bytes": int(10 ** rng.uniform(5, 8)),
    }
    decided = at + timedelta(hours=20, seconds=int(rng.integers(4 * 3600)))
    yield at, name, "submission.created", entry
    if rng.random() < REJECTED_SHARE:
        yield decided, name, "submission.rejected", entry
    else:
        yield decided, name, "submission.approved", entry
        points = int(rng.integers(1, 11)) * 5
        yield (
            decided,
            name,
            "contribution.recorded",
            {"category": entry["category"], "points": points},
        )
        amount, reference = int(rng.integers(1, 20)) * 100, entry["submission_id"]
        yield decided, name, "wallet.credit", _reward(amount, "approval", reference, "pending")
        released = decided + timedelta(days=RELEASE_DAYS)
        moved = {
            "amount_minor": amount,
            "currency": "EUR",
            "reason": "release",
            "reference_id": reference,
        }
        yield released, name, "wallet.debit", moved | {"state": "pending"}
        yield released, name, "wallet.credit", moved | {"state": "available"}
    yield from _message(rng, name, number, decided)


def _message(rng: np.random.Generator, name: str, number: int, at: datetime) -> Iterator[Happening]:
    message = {
        "notification_id": f"message-{number:06}",
        "channel": CHANNELS[rng.choice(len(CHANNELS), p=CHANNEL_SHARES)],
    }
    yield at + timedelta(minutes=1), name, "notification.sent", message
    fate = rng.random()
    if fate < FAILED_SHARE:
        yield at + timedelta(minutes=3), name, "notification.failed", message
    elif fate < 1 - UNHEARD_SHARE:
        yield at + timedelta(minutes=2), name, "notification.delivered", message


def _reward(amount: int, kind: str, reference: str, state: str) -> dict[str, Any]:
    return {
        "amount_minor": amount,
        "currency": "EUR",
        "reason": "reward",
        "reward_type": kind,
        "reference_id": reference,
        "state": state,
    }


def planted(start: datetime) -> dict[str, str]:
    """The days on which something is planted, by what it is."""
    days = {"spike": SPIKE_DAY, "drop": DROP_DAY, "burst": BURST_DAY, "wave": WAVE_DAY}
    return {what: (start + timedelta(days=day)).date().isoformat() for what, day in days.items()}


def _one(rng: np.random.Generator, words: tuple[str, ...]) -> str:
    return words[rng.integers(len(words))]
