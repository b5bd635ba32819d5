"""Random cohorts with what their people did and paid, and what follows from it, one by one.

Times lie about midnight of their zones, on days that have 23 or 25 hours and near them. Zones and
days are those of Python's own library.
"""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa

# Zones, each with days that have 23, 25, 23.5 or 24 hours.
ZONES = {
    "Europe/Berlin": [date(2026, 3, 29), date(2026, 10, 25)],
    "America/New_York": [date(2026, 3, 8), date(2026, 11, 1)],
    "Australia/Lord_Howe": [date(2026, 4, 5)],
    "Asia/Kolkata": [date(2026, 3, 1)],
    "Pacific/Apia": [date(2025, 12, 31)],
    "UTC": [date(2026, 1, 4)],
}
TIMES = [time(0), time(0, 15), time(2, 30), time(12), time(23), time(23, 45)]
AMOUNTS = [0, 0, 5, -3, 1_000, 2**53 + 1]  # no float holds the last one


@dataclass(frozen=True)
class Joined:
    """A row of the cohorts. Who is there twice joined twice."""

    question: int
    set_id: int
    brand: str
    kind: str
    user_key: str | None
    time_zone: str
    joined_at: datetime | None
    last_day: date


@dataclass(frozen=True)
class Act:
    """A row of what was done, and paid for it."""

    question: int
    set_id: int
    brand: str
    user_key: str | None
    time_zone: str
    happened_at: datetime
    amount: int


@dataclass(frozen=True)
class Question:
    """What the macros are asked for."""

    number: int
    period: str
    days: list[int]
    tolerance: int

    def retention(self) -> str:
        return self._call("retention", f"active_on={LOCAL_DAY}, tolerance_days={self.tolerance}")

    def lifetime_value(self) -> str:
        return self._call("lifetime_value", f"paid_on={LOCAL_DAY}, amount='amount'")

    def _call(self, macro: str, more: str) -> str:
        mine = f"where question = {self.number}"
        return (
            f"{macro}('(select * from d.cohorts {mine}) as cohorts', 'd.acts', 'user_key', "
            f"joined_on=local_day('joined_at', 'time_zone'), last_day='last_day', {more}, "
            f"days={self.days}, period='{self.period}', keys=['set_id', 'brand'], "
            f"cohort_keys=['kind'], where='question = {self.number} and amount != 5')"
        )


LOCAL_DAY = "local_day('happened_at', 'time_zone')"
QUESTIONS = [
    Question(0, "day", [0, 1, 7, 30], 0),
    Question(1, "day", [0, 1, 2, 7], 2),
    Question(2, "week", [1, 3], 0),
    Question(3, "month", [0, 5, 14], 1),
    Question(4, "day", list(range(5)), 0),
]


def random_set(question: int, set_id: int, rng: random.Random) -> tuple[list[Joined], list[Act]]:
    """A few people of one or two brands, each with a zone and a last known day."""
    joined, acts = [], []
    for brand in ("x", "y")[: rng.randint(1, 2)]:
        zone = rng.choice(list(ZONES))
        middle = rng.choice(ZONES[zone])
        last_day = middle + timedelta(days=rng.randint(0, 40))
        for person in ("p", "q", "r", "s", None)[: rng.randint(1, 5)]:
            began = middle + timedelta(days=rng.choice((0, 0, rng.randint(-3, 3))))
            for kind in rng.choice((["registration"], ["registration", "first_deposit"])):
                for _ in range(rng.choice((1, 1, 1, 2))):
                    at = in_utc(began + timedelta(days=rng.choice((0, 0, 1, 8))), zone, rng)
                    joined_at = at if rng.random() < 0.95 else None
                    joined.append(
                        Joined(question, set_id, brand, kind, person, zone, joined_at, last_day)
                    )
            for _ in range(rng.randint(0, 6)):
                at = in_utc(began + timedelta(days=rng.choice((-1, 0, 1, 2, 7, 8, 30))), zone, rng)
                acts.append(Act(question, set_id, brand, person, zone, at, rng.choice(AMOUNTS)))
    return joined, acts


def in_utc(day: date, zone: str, rng: random.Random) -> datetime:
    """A time of a day of a zone, as naive UTC."""
    local = datetime.combine(day, rng.choice(TIMES), ZoneInfo(zone))
    return local.astimezone(UTC).replace(tzinfo=None)


def day_in(zone: str, moment: datetime) -> date:
    return moment.replace(tzinfo=UTC).astimezone(ZoneInfo(zone)).date()


@dataclass
class Member:
    """Somebody of a cohort, with the amount of each day on which they did anything that counts."""

    joined_on: date
    last_day: date
    amounts: Counter[int]  # by day N


Cohorts = dict[tuple[Any, ...], list[Member]]


def cohorts_of(question: Question, joined: list[Joined], acts: list[Act]) -> Cohorts:
    """The members of each cohort, by set, brand, kind and first day."""
    first: dict[tuple[Any, ...], tuple[date, date]] = {}
    for row in joined:
        if row.user_key is not None and row.joined_at is not None:
            key = (row.set_id, row.brand, row.kind, row.user_key)
            day = day_in(row.time_zone, row.joined_at)
            first[key] = min(first.get(key, (day, row.last_day)), (day, row.last_day))
    done: dict[tuple[Any, ...], list[tuple[date, int]]] = defaultdict(list)
    for act in acts:
        if act.amount != 5:
            day = day_in(act.time_zone, act.happened_at)
            done[act.set_id, act.brand, act.user_key].append((day, act.amount))
    cohorts: Cohorts = defaultdict(list)
    for (set_id, brand, kind, person), (joined_on, last_day) in first.items():
        amounts: Counter[int] = Counter()
        for day, amount in done[set_id, brand, person]:
            if joined_on <= day <= last_day:
                amounts[(day - joined_on).days] += amount
        cohorts[set_id, brand, kind, first_day(question.period, joined_on)].append(
            Member(joined_on, last_day, amounts)
        )
    return cohorts


def first_day(period: str, day: date) -> date:
    """The first day of the period in which a day lies."""
    if period == "month":
        return day.replace(day=1)
    return day - timedelta(days=day.weekday() if period == "week" else 0)


def has_passed(question: Question, cohort_date: date, members: list[Member], day: int) -> bool:
    """Whether everybody who may join the cohort has had a day N that is known whole."""
    joining = cohort_date
    while first_day(question.period, joining + timedelta(days=1)) == cohort_date:
        joining += timedelta(days=1)
    return joining + timedelta(days=day) <= members[0].last_day


def retention_of(question: Question, cohorts: Cohorts) -> Counter[tuple[Any, ...]]:
    """Rows of the macro: who came back, as far as that is known of everybody."""
    rows: Counter[tuple[Any, ...]] = Counter()
    for key, members in cohorts.items():
        for day in question.days:
            around = {day + shift for shift in range(-question.tolerance, question.tolerance + 1)}
            around -= {0} if day else set()
            size = len(members)
            if has_passed(question, key[-1], members, day + question.tolerance):
                on = sum(bool(around & member.amounts.keys()) for member in members)
                since = sum(max(member.amounts, default=-1) >= day for member in members)
                rows[*key, size, day, True, on, since, on / size, since / size] += 1
            else:
                rows[*key, size, day, False, None, None, None, None] += 1
    return rows


def values_of(question: Question, cohorts: Cohorts) -> Counter[tuple[Any, ...]]:
    """Rows of the macro: what was paid by day N, where that is known of everybody."""
    rows: Counter[tuple[Any, ...]] = Counter()
    for key, members in cohorts.items():
        for day in question.days:
            size = len(members)
            if has_passed(question, key[-1], members, day):
                paid = sum(n for member in members for d, n in member.amounts.items() if d <= day)
                rows[*key, size, day, True, paid, float(paid) / size] += 1
            else:
                rows[*key, size, day, False, None, None] += 1
    return rows


def as_table(questions: list[list[Joined]] | list[list[Act]]) -> pa.Table:
    """The rows of all questions as one table."""
    rows = [row for asked in questions for row in asked]
    types: dict[str, pa.DataType] = {"int": pa.int64(), "date": pa.date32()}
    schema = {
        name: pa.timestamp("us") if "datetime" in kind else types.get(kind, pa.string())
        for name, kind in type(rows[0]).__annotations__.items()
    }
    return pa.Table.from_pylist([vars(row) for row in rows], pa.schema(schema))
