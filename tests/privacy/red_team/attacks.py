"""What an attack of the red team is: tried on the real thing, and on a twin that is sabotaged."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from conftest import Demo

SINGLING_OUT, LINKABILITY, INFERENCE = "singling out", "linkability", "inference"
NUMBERS = [f"R{n}" for n in range(1, 21)]


@dataclass(frozen=True)
class Scene:
    """What targets are made of: the demo, to be read; a folder to write to; and randomness."""

    demo: Demo
    folder: Path
    dice: random.Random


@dataclass(frozen=True)
class Finding:
    """Whether the attacker got what she wanted, and in figures what she got."""

    succeeded: bool
    said: str


@dataclass(frozen=True)
class Attack:
    """An attack, and how its two targets are made.

    `open` is why it succeeds on the real thing, where that is known and not mended yet.
    """

    number: str
    risk: str
    on: str
    real: Callable[[Scene], Any]
    sabotage: str
    twin: Callable[[Scene], Any]
    run: Callable[[Any], Finding]
    open: str

    @property
    def name(self) -> str:
        return f"{self.number} {self.run.__name__}"


ATTACKS: list[Attack] = []


def attack(
    number: str,
    risk: str,
    *,
    on: str,
    real: Callable[[Scene], Any],
    sabotage: str,
    twin: Callable[[Scene], Any],
    open: str = "",
) -> Callable[[Callable[[Any], Finding]], Callable[[Any], Finding]]:
    """Put an attack into the table: the function, tried on what `real` and `twin` make."""

    def register(run: Callable[[Any], Finding]) -> Callable[[Any], Finding]:
        assert run.__doc__, "an attack says its idea"
        ATTACKS.append(Attack(number, risk, on, real, sabotage, twin, run, open))
        return run

    return register


def table(results: Iterable[tuple[Attack, Finding | None, Finding | None]]) -> str:
    """The results as text: of each attack its idea, the real thing and the twin."""
    lines, rows = [], sorted(results, key=lambda row: int(row[0].number[1:]))
    for tried, real, twin in rows:
        is_open = f" (open: {tried.open})" if tried.open else ""
        lines += [
            f"{tried.number:<4}{tried.risk:<14}{tried.on}",
            f"      idea  {' '.join((tried.run.__doc__ or '').split())}",
            f"      real  {said(real)}{is_open}",
            f"      twin  {said(twin)} [{tried.sabotage}]",
        ]
    on_real = sum(real is not None and real.succeeded for _, real, _ in rows)
    on_twins = sum(twin is not None and twin.succeeded for _, _, twin in rows)
    lines.append(f"{len(rows)} attacks: {on_real} succeed on the real, {on_twins} on their twins")
    return "\n".join(lines)


def said(finding: Finding | None) -> str:
    if finding is None:
        return "broke off"
    return f"{'SUCCEEDS' if finding.succeeded else 'fails'}: {finding.said}"
