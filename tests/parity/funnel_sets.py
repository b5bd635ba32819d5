"""Random funnels and events, and how far each person comes: every choice of events is tried.

Times are few, so that events fall together, repeat and lie on the edge of a window.
"""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pyarrow as pa

START = datetime(2026, 3, 1)
SECONDS = 12
RELATION = "d.events"


@dataclass(frozen=True)
class Event:
    """A row of the relation. Rows that share an id are one event."""

    set_id: int
    user_key: str | None
    brand: str
    event_id: str
    event_type: str
    amount: int | None
    occurred_at: datetime


@dataclass(frozen=True)
class Condition:
    """The same in SQL and in Python. What is said of a null is not so."""

    sql: str
    holds: Callable[[Event], bool]


CONDITIONS = [
    Condition("amount > 3", lambda event: event.amount is not None and event.amount > 3),
    Condition("amount <= 5", lambda event: event.amount is not None and event.amount <= 5),
    Condition("amount in (1, 6)", lambda event: event.amount in (1, 6)),
    Condition("brand = 'x'", lambda event: event.brand == "x"),
]
ALWAYS = Condition("true", lambda _: True)
FILTERS = [ALWAYS, ALWAYS, Condition("amount != 2", lambda e: e.amount not in (2, None))]


@dataclass(frozen=True)
class Step:
    """An event of a type, one on whose row a condition holds, or both."""

    event: str | None
    condition: Condition | None

    def fits(self, event: Event) -> bool:
        return self.event in (None, event.event_type) and (
            self.condition is None or self.condition.holds(event)
        )


@dataclass(frozen=True)
class Funnel:
    """What the macro is asked for. The sets of events are groups of their own, told by a key."""

    number: int
    steps: list[Step]
    window: int
    keys: list[str]
    where: Condition
    begun_from: datetime | None
    begun_before: datetime | None

    def call(self, per: str, keys: list[str] | None = None, where: str | None = None) -> str:
        """The macro, for the events that are this funnel's."""
        steps = []
        for number, step in enumerate(self.steps, start=1):
            said = {"name": f"step {number}", "event": step.event}
            said["condition"] = step.condition and step.condition.sql
            steps.append({word: text for word, text in said.items() if text})
        arguments = {
            "steps": steps,
            "window_seconds": self.window,
            "keys": ["set_id", *self.keys] if keys is None else keys,
            "where": where or f"funnel = {self.number} and {self.where.sql}",
            "begun_from": moment(self.begun_from),
            "begun_before": moment(self.begun_before),
            "per": per,
        }
        said = ", ".join(
            f"{name}={value!r}" for name, value in arguments.items() if value is not None
        )
        return f"funnel('{RELATION}', 'user_key', 'occurred_at', 'event_id', {said})"


def moment(time: datetime | None) -> str | None:
    return time and f"timestamp '{time.isoformat(sep=' ')}'"


def random_funnel(number: int, rng: random.Random) -> Funnel:
    """One to five steps, of which one event may fit several."""
    steps = []
    for _ in range(rng.choice((1, 2, 3, 3, 4, 4, 5, 5))):
        event = rng.choice(("a", "a", "b", "c", None, None))
        condition = rng.choice(CONDITIONS) if event is None or rng.random() < 0.2 else None
        steps.append(Step(event, condition))
    return Funnel(
        number=number,
        steps=steps,
        window=rng.choice((0, 1, 3, 5, SECONDS)),
        keys=rng.choice(([], ["brand"], ["brand"])),
        where=rng.choice(FILTERS),
        begun_from=rng.choice((None, START, START + timedelta(seconds=2))),
        begun_before=rng.choice((None, START + timedelta(seconds=5))),
    )


def random_set(set_id: int, rng: random.Random) -> list[Event]:
    """Events of a few people, of whom some are nobody. A few rows are there twice."""
    events = []
    for person in rng.sample(["p", "q", "r", None], rng.randint(2, 4)):
        for _ in range(rng.randint(0, 11)):
            seconds = rng.randrange(SECONDS // rng.choice((1, 3)))
            late = timedelta(seconds=seconds, microseconds=rng.random() < 0.1)
            event = Event(
                set_id=set_id,
                user_key=person,
                brand=rng.choice("xxxy"),
                event_id=f"{set_id}-{len(events)}",
                event_type=rng.choice("abc"),
                amount=rng.choice((None, *range(1, 8))),
                occurred_at=START + late,
            )
            events += [event] * rng.choice((1,) * 19 + (2,))
    rng.shuffle(events)
    return events


Tries = dict[tuple[Any, ...], int]  # set, further keys, person, time of step 1: the furthest step


def tries_of(funnel: Funnel, events: list[Event]) -> Tries:
    """How far each try of each person comes, by the definition."""
    tries: Tries = {}
    for group, known in counted(funnel, events).items():
        for event in known:
            in_range = funnel.begun_before is None or event.occurred_at < funnel.begun_before
            if in_range and funnel.steps[0].fits(event):
                key = (*group, event.occurred_at)
                deadline = event.occurred_at + timedelta(seconds=funnel.window)
                tries[key] = max(tries.get(key, 0), furthest(funnel, known, [event], deadline))
    return tries


def furthest(funnel: Funnel, known: set[Event], taken: list[Event], deadline: datetime) -> int:
    """The furthest step, whichever events are taken for what is left."""
    if len(taken) == len(funnel.steps):
        return len(taken)
    step = funnel.steps[len(taken)]
    return max(
        (
            furthest(funnel, known, [*taken, event], deadline)
            for event in known
            if step.fits(event)
            and event not in taken
            and taken[-1].occurred_at <= event.occurred_at <= deadline
        ),
        default=len(taken),
    )


def counted(funnel: Funnel, events: list[Event]) -> dict[tuple[Any, ...], set[Event]]:
    """The events that count, by group and person."""
    found: dict[tuple[Any, ...], set[Event]] = defaultdict(set)
    for event in events:
        early = funnel.begun_from is not None and event.occurred_at < funnel.begun_from
        if event.user_key is not None and funnel.where.holds(event) and not early:
            group = (event.set_id, *(getattr(event, key) for key in funnel.keys))
            found[*group, event.user_key].add(event)
    return found


def people_of(tries: Tries) -> dict[tuple[Any, ...], int]:
    """The furthest step of each person's tries."""
    people: dict[tuple[Any, ...], int] = {}
    for (*person, _), step in tries.items():
        people[tuple(person)] = max(step, people.get(tuple(person), 0))
    return people


def steps_of(funnel: Funnel, events: list[Event]) -> Counter[tuple[Any, ...]]:
    """Rows of the funnel: a group is there if anything in it fits any step."""
    people = people_of(tries_of(funnel, events))
    rows: Counter[tuple[Any, ...]] = Counter()
    for group in {
        person[:-1]
        for person, known in counted(funnel, events).items()
        if any(step.fits(event) for step in funnel.steps for event in known)
    }:
        reached = [step for person, step in people.items() if person[:-1] == group]
        for number in range(1, len(funnel.steps) + 1):
            here = sum(step >= number for step in reached)
            rate = here / len(reached) if reached else None
            rows[*group, number, f"step {number}", here, rate] += 1
    return rows


def as_table(events: list[list[Event]]) -> pa.Table:
    """The events of each funnel as one table."""
    rows = [{"funnel": n, **vars(event)} for n, known in enumerate(events) for event in known]
    return pa.Table.from_pylist(
        rows,
        pa.schema(
            {
                "funnel": pa.int64(),
                "set_id": pa.int64(),
                "user_key": pa.string(),
                "brand": pa.string(),
                "event_id": pa.string(),
                "event_type": pa.string(),
                "amount": pa.int64(),
                "occurred_at": pa.timestamp("us"),
            }
        ),
    )
