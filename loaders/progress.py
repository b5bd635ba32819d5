"""Progress for whatever takes over two seconds: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

_SILENCE = 2.0

Advance = Callable[[float], None]


@contextlib.contextmanager
def progress(label: str, total: float | None) -> Iterator[Advance]:
    """Yield a function that takes how much more is done. Writes to standard error."""
    console = Console(stderr=True)
    if console.is_terminal:
        columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn())
        with Progress(*columns, TimeRemainingColumn(), console=console, transient=True) as bar:
            task = bar.add_task(label, total=total)
            yield lambda step: bar.advance(task, step)
        return
    yield _plain(label, total)


def _plain(label: str, total: float | None) -> Advance:
    done, spoken = 0.0, time.monotonic()

    def advance(step: float) -> None:
        nonlocal done, spoken
        done += step
        if time.monotonic() - spoken >= _SILENCE:
            spoken = time.monotonic()
            share = f"{100 * done / total:.0f}%" if total else f"{done:.0f}"
            print(f"{label}: {share}", file=sys.stderr, flush=True)

    return advance
