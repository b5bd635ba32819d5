"""The demo's gold of the challenge platform a second time: pandas, from the landed files.

Shares no code with the project. It knows one rule of privacy: of a day, what fewer than k people
did is in no figure; weeks and months are what is left of their days.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd

K = 10
PERIODS = {"day": "D", "week": "W-SUN", "month": "M"}
# What people do themselves; the rest is done to them.
OWN_DOING = (
    "account.registered",
    "account.login",
    "account.profile_updated",
    "challenge.viewed",
    "challenge.joined",
    "challenge.completed",
    "submission.created",
)

Figures = dict[tuple[str, pd.Timestamp], float]


def events_of(folder: Path) -> pd.DataFrame:
    """Every event that landed, once: type, user, time, and its payload as columns."""
    rows: dict[str, dict[str, Any]] = {}
    for path in sorted(folder.glob("platform_events-*")):
        for line in path.read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            if str(row.get("event_id", "")).startswith("refused"):
                continue
            payload = row["metadata"] if "metadata" in row else row["payload"]
            rows[row.get("id") or row["event_id"]] = {
                "event_type": row.get("type") or row["event_type"],
                "user": row.get("userId") or row["player_id"],
                "at": row.get("timestamp") or row["occurred_at"],
                **{_snake(name): value for name, value in payload.items()},
            }
    events = pd.DataFrame(rows.values())
    events["at"] = pd.to_datetime(events["at"], utc=True).dt.tz_localize(None)
    return events.assign(day=events["at"].dt.normalize()).sort_values("at")


def published(rows: pd.DataFrame, *keys: str) -> pd.DataFrame:
    """The rows of days, and of values of the keys on them, that k people stand behind."""
    people = rows.groupby(["day", *keys])["user"].transform("nunique")
    return rows[people >= K]


def by_period(rows: pd.DataFrame, how: str, column: str = "user", *keys: str) -> Figures:
    """A figure of each day, ISO week and month; people only where there are k of them."""
    found: Figures = {}
    for period, rule in PERIODS.items():
        starts = rows["day"].dt.to_period(rule).dt.start_time
        for key, value in rows.groupby([starts, *keys])[column].agg(how).items():
            if how != "nunique" or value >= K:
                start, *rest = key if isinstance(key, tuple) else (key,)
                found[(period, start, *rest)] = float(value)
    return found


def _snake(name: str) -> str:
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in name)
