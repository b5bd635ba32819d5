"""Rebuild: recompute days of a model, and of all that is made of it.

dbt does the work: with the variable `rebuild`, each of these models forgets the days of the span
that the layer below still holds whole, in its own transaction, and computes them again. A rebuild
that is killed leaves nothing that the next build does not complete.
"""

from __future__ import annotations

import difflib
import json
from dataclasses import dataclass
from datetime import date

from loaders.errors import AssayError
from loaders.gold.dbt_run import run_dbt
from loaders.gold.runs import recorded
from loaders.gold.turns import WAIT_SECONDS, writing
from loaders.home import Home
from loaders.project import PROJECT

_LAYERS = ("silver", "gold")
# How the lines of macro `tell_days` end.
_ANEW, _LEFT_ALONE = "made anew", "no longer holds them whole"


@dataclass(frozen=True, slots=True)
class Rebuild:
    """What was asked for, and how many nodes of dbt ran for it.

    `days` says, model by model, which were made anew and which were left alone.
    """

    model: str
    first_day: date
    last_day: date
    nodes: int
    days: list[str]


def rebuild(
    home: Home, model: str, first_day: date, last_day: date, wait: float = WAIT_SECONDS
) -> Rebuild:
    """Recompute `first_day` to `last_day` of a model and of what is made of it, and record it.

    What the model is made of is brought up to date first. Raises AssayError when there is no such
    model, a node failed, or another process holds the home for longer than `wait` seconds.
    """
    _refuse_unknown(model)
    if not home.warehouse.exists():
        raise AssayError(f"Nothing to rebuild in {home.path}: nothing is built. Run: assay refresh")
    span = {"model": model, "from": first_day.isoformat(), "to": last_day.isoformat()}
    arguments = ["build", "--select", f"+{model}+", "--vars", json.dumps({"rebuild": span})]
    with (
        writing(home, wait),
        recorded(home, "build", ("rebuild", "Rebuild of a model's days"), **span) as recording,
    ):
        run = run_dbt(home, arguments)
        recording["rows_out"] = run.nodes
    said = [note for note in run.notes if note.endswith((_ANEW, _LEFT_ALONE))]
    return Rebuild(model, first_day, last_day, run.nodes, said)


def _refuse_unknown(model: str) -> None:
    folders = [PROJECT / "models" / layer for layer in _LAYERS]
    names = sorted(path.stem for folder in folders for path in folder.rglob("*.sql"))
    if model not in names:
        near = difflib.get_close_matches(model, names, n=3, cutoff=0.5)
        hint = (
            f"Did you mean {' or '.join(near)}?" if near else "See models/silver and models/gold."
        )
        raise AssayError(f"No model of that name. {hint}")
