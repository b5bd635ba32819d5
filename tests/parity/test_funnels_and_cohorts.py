"""Funnels, retention and lifetime value against a count person by person, on both engines.

ASSAY_LONG=1 tries ten spaces of 500 sets of rows instead of one; ASSAY_SEED repeats a run. Half of
the first space is always the same.
"""

from __future__ import annotations

import os
import random
import re
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property
from typing import Any

import cohort_sets
import funnel_sets
import pytest
from bigquery_home import CLOUD_PROJECT
from cohort_sets import QUESTIONS, Act, Joined, cohorts_of, retention_of, values_of
from conftest import PROJECT
from engines import Engines
from funnel_sets import Event, Funnel, people_of, random_funnel, steps_of, tries_of
from jinja2 import Environment
from standin import StandIn

SETS = 500  # the second engine has room for some hundreds at once
SPACES = range(10 if os.environ.get("ASSAY_LONG") == "1" else 1)
SEED = int(os.environ.get("ASSAY_SEED", time.time_ns() % 10**9))
FUNNELS = range(10)
NO_SET = -1

Rows = Counter[tuple[Any, ...]]


class Space:
    """Sets of rows, each for one of ten funnels and one of five questions about cohorts."""

    def __init__(self, number: int) -> None:
        old = random.Random(20260325 if number == 0 else f"{SEED} {number} again")
        rngs = [old, random.Random(f"{SEED} {number}")]
        self.funnels: list[Funnel] = [random_funnel(n, rngs[n % 2]) for n in FUNNELS]
        self.events: list[list[Event]] = [[] for _ in FUNNELS]
        self.joined: list[list[Joined]] = [[] for _ in QUESTIONS]
        self.acts: list[list[Act]] = [[] for _ in QUESTIONS]
        for n in range(SETS):
            self.events[n % 10] += funnel_sets.random_set(n, rngs[n % 2])
            joined, acts = cohort_sets.random_set(n % 5, n, rngs[n % 2])
            self.joined[n % 5] += joined
            self.acts[n % 5] += acts
        self.engines: Engines  # which the fixture gives it

    def calls(self) -> list[str]:
        """All that the tests call."""
        forms = ("try", "person", "step")
        return [
            *(funnel.call(per) for funnel in self.funnels for per in forms),
            *(self.without_keys(n, set_id) for n in FUNNELS[:2] for set_id in (n, NO_SET)),
            *(question.retention() for question in QUESTIONS),
            *(question.lifetime_value() for question in QUESTIONS),
        ]

    def without_keys(self, n: int, set_id: int) -> str:
        """A funnel over one set, or over none, as one group."""
        where = f"set_id = {set_id} and {self.funnels[n].where.sql}"
        return self.funnels[n].call("step", keys=[], where=where)

    @cached_property
    def people(self) -> list[Rows]:
        """How far each person comes in each funnel."""
        both = zip(self.funnels, self.events, strict=True)
        return [flat(people_of(tries_of(funnel, events))) for funnel, events in both]

    @cached_property
    def returned(self) -> list[Rows]:
        """Who came back, for each question."""
        rows = zip(QUESTIONS, self.joined, self.acts, strict=True)
        return [retention_of(q, cohorts_of(q, joined, acts)) for q, joined, acts in rows]

    @cached_property
    def paid(self) -> list[Rows]:
        """What was paid, for each question."""
        rows = zip(QUESTIONS, self.joined, self.acts, strict=True)
        return [values_of(q, cohorts_of(q, joined, acts)) for q, joined, acts in rows]

    def answers(self, call: str) -> Rows:
        """The rows of both engines, which are the same."""
        ours, theirs = map(counted, self.engines.rows(*self.engines.sql(call, "{}")))
        assert ours == theirs, SEED
        return ours

    def answers_of_duck(self, call: str, fault: tuple[str, str] = ("$", "")) -> Rows:
        """Those of DuckDB alone, of the statement as it is or with a fault in it."""
        duck, _ = self.engines.sql(call, "{}")
        return counted(self.engines.duck.execute(re.sub(*fault, duck)).fetchall())


@pytest.fixture(scope="module")
def space(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Space]:
    print(f"seed {SEED}: {SETS} sets of the space {request.param}")
    made = Space(request.param)
    with pytest.MonkeyPatch.context() as patch, StandIn(CLOUD_PROJECT) as standin:
        patch.setenv("BIGQUERY_EMULATOR_HOST", standin.endpoint)
        made.engines = Engines(standin, tmp_path_factory.mktemp("space"), made.calls())
        made.engines.load("events", funnel_sets.as_table(made.events))
        made.engines.load("cohorts", cohort_sets.as_table(made.joined))
        made.engines.load("acts", cohort_sets.as_table(made.acts))
        yield made


in_every_space = pytest.mark.parametrize("space", SPACES, indirect=True)
in_the_first_space = pytest.mark.parametrize("space", [0], indirect=True)


def counted(rows: list[tuple[Any, ...]]) -> Rows:
    """Rows, each as often as it is there. Times are naive."""
    return Counter(
        tuple(value.replace(tzinfo=None) if hasattr(value, "tzinfo") else value for value in row)
        for row in rows
    )


def flat(furthest: dict[tuple[Any, ...], int]) -> Rows:
    return Counter((*key, step) for key, step in furthest.items())


@in_every_space
@pytest.mark.parametrize("n", FUNNELS)
def test_people_come_as_far_as_any_choice_of_events(n: int, space: Space) -> None:
    funnel, events = space.funnels[n], space.events[n]
    tries = tries_of(funnel, events)
    print(f"{len(events)} events, tries by furthest step: {Counter(tries.values())}")
    assert space.answers(funnel.call("step")) == steps_of(funnel, events), SEED
    # What these steps are counted from, which takes the second engine as long again.
    assert space.answers_of_duck(funnel.call("try")) == flat(tries), SEED
    assert space.answers_of_duck(funnel.call("person")) == space.people[n], SEED


@in_every_space
@pytest.mark.parametrize("n", FUNNELS[:2])
@pytest.mark.parametrize("is_empty", [False, True])
def test_without_keys_there_is_always_one_group(n: int, is_empty: bool, space: Space) -> None:
    """With nobody in it, people are 0 and rates null."""
    set_id = NO_SET if is_empty else n
    events = [event for event in space.events[n] if event.set_id == set_id]
    rows = steps_of(replace(space.funnels[n], keys=[]), events)
    expected = Counter(row[1:] for row in rows) or Counter(
        (step, f"step {step}", 0, None) for step in range(1, len(space.funnels[n].steps) + 1)
    )
    assert space.answers(space.without_keys(n, set_id)) == expected, SEED


@in_every_space
@pytest.mark.parametrize("n", range(len(QUESTIONS)))
def test_who_came_back_is_as_counted_one_by_one(n: int, space: Space) -> None:
    known = [row for row in space.returned[n] if row[6]]
    print(f"{len(space.returned[n])} cells, {len(known)} of them known")
    assert space.answers(QUESTIONS[n].retention()) == space.returned[n], SEED


@in_every_space
@pytest.mark.parametrize("n", range(len(QUESTIONS)))
def test_what_was_paid_is_as_counted_one_by_one(n: int, space: Space) -> None:
    """To the unit, also where no float holds the sum."""
    assert space.answers(QUESTIONS[n].lifetime_value()) == space.paid[n], SEED


FUNNEL_FAULTS = {
    "the window without its end": (r"(/ 1e6) <= ", r"\1 < "),
    "an event serves two steps": (r"(fit_\d(?:_\d)+) >= \d", r"\1 >= 1"),
    "an event twice there is two": (r"count\(distinct ", "count("),
    "the first try only": (r"max\((furthest_step)\)", r"min_by(\1, tried_at)"),
    "the last try only": (r"max\((furthest_step)\)", r"max_by(\1, tried_at)"),
    "equal times are in no order": (r"when serve_(\d)_(?!\1)\d then", "when false then"),
    "an earlier event as well": ("1 following", "unbounded preceding"),
    "later steps in the range": (r"(?s)(is not null)(.*?)(and occurred_at < .*?\n)", r"\1 \3\2"),
    "step 1 after the range": (r"and occurred_at < ", "or occurred_at >= "),
    "steps of another group": (r"(?s)brand, (user_key\s+order by)", r"\1"),
}


@in_the_first_space
@pytest.mark.parametrize("fault", FUNNEL_FAULTS)
def test_a_planted_fault_of_a_funnel_is_seen(fault: str, space: Space) -> None:
    """The comparison is worth something: funnels and sets that never change show each fault."""
    found = [
        n
        for n in FUNNELS[::2]
        if space.answers_of_duck(space.funnels[n].call("person"), FUNNEL_FAULTS[fault])
        != space.people[n]
    ]
    print(f"funnels that differ: {found}")
    assert found


COHORT_FAULTS = {
    "days are those of UTC": (r"timezone\(time_zone, timezone\('UTC', (\w+)\)\)", r"\1"),
    "who joined twice joined last": (r"min\(joined_on\)", "max(joined_on)"),
    "a cohort is over on its first day": (r"cast\(date_add\((cohort_date).*? as date\)", r"\1 + 1"),
    "days pass one later": ("to_day <= ", "to_day < "),
    "what is not known is low": (r"case when cohort_cells.is_mature then (.*?) end as", r"\1 as"),
    "the day of joining is left out": ("between cohort_members.joined_on", r"\g<0> + 1"),
    "what others of the set did": (r"on cohort_members.set_id = .*? and ", "on "),
}
RETENTION_FAULTS = COHORT_FAULTS | {
    "nothing after day N": ("and cohort_days.to_day", "and cohort_days.day"),
    "only after day N": ("distance >= cohort_days.day", "distance > cohort_days.day"),
    "days that are not known whole": ("and cohort_members.last_day", r"\g<0> + 1"),
    "cohorts in which nobody returned": ("left join", "inner join"),
}
VALUE_FAULTS = COHORT_FAULTS | {
    "day N is left out": ("distance <= cohort_cells.day", "distance < cohort_cells.day"),
    "only day N": ("distance <= cohort_cells.day", "distance = cohort_cells.day"),
    "sums of floats": (r"sum\(amount\)", "sum(cast(amount as float64))"),
}


@in_the_first_space
@pytest.mark.parametrize("fault", RETENTION_FAULTS)
def test_a_planted_fault_of_retention_is_seen(fault: str, space: Space) -> None:
    assert any(
        space.answers_of_duck(question.retention(), RETENTION_FAULTS[fault]) != expected
        for question, expected in zip(QUESTIONS, space.returned, strict=True)
    )


@in_the_first_space
@pytest.mark.parametrize("fault", VALUE_FAULTS)
def test_a_planted_fault_of_lifetime_value_is_seen(fault: str, space: Space) -> None:
    assert any(
        space.answers_of_duck(question.lifetime_value(), VALUE_FAULTS[fault]) != expected
        for question, expected in zip(QUESTIONS, space.paid, strict=True)
    )


REFUSED = [
    ("funnel", {"steps": [], "per": "day"}, "per is step, person or try"),
    ("funnel", {"steps": [{"name": "a"}] * 9}, "1 to 8 steps, and not 9"),
    ("is_of_step", {"step": {"name": "a"}}, "a step has a name, and an event"),
    ("cohort_cells", {"keys": [], "period": "year"}, "period is day, week or month"),
]


@pytest.mark.parametrize(("macro", "arguments", "refusal"), REFUSED)
def test_what_means_nothing_is_refused(macro: str, arguments: dict[str, Any], refusal: str) -> None:
    """By the macro as Jinja alone: dbt would be started for each."""

    def refuse(text: str) -> None:
        raise ValueError(text)

    (file,) = (PROJECT / "macros" / "metrics").glob(f"{macro.replace('is_of_step', 'funnel')}.sql")
    macros = Environment(extensions=["jinja2.ext.do"]).from_string(file.read_text(encoding="utf-8"))
    with pytest.raises(ValueError, match=refusal):
        getattr(macros.make_module({"exceptions": {"raise_compiler_error": refuse}}), macro)(
            **arguments
        )
