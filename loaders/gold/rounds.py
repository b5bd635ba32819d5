"""Refresh again and again, in one process that keeps dbt warm.

Each refresh is a child: nothing of it stays, whatever becomes of it, and the next one begins anew.
The process itself waits, and remembers what the last good refresh of a cadence had read, so that
the next one builds what has changed. Told to end, it does so after the round that is on, which does
not listen.
"""

from __future__ import annotations

import json
import signal
import sys
import threading
import time
from datetime import UTC, datetime
from typing import Any

from loaders.errors import AssayError
from loaders.gold.refresh import refresh
from loaders.gold.touched import Inputs, last_hand
from loaders.gold.turns import WAIT_SECONDS
from loaders.gold.warm import FORK, WarmDbt
from loaders.home import Home

# The exit code of a refresh that failed and said so.
_SAID = 3


def refresh_every(
    home: Home,
    seconds: float,
    cadences: tuple[str, ...] = (),
    wait: float = WAIT_SECONDS,
    as_json: bool = False,
) -> None:
    """Begin a round every so many seconds, and the next at once after one that took longer.

    A round refreshes each cadence and prints a line of it, or a JSON object, on standard output.
    One that fails says so, and ends nothing. Returns once told to by SIGTERM or SIGINT. Raises
    AssayError where the project cannot be read.
    """
    home = Home(home.path.resolve())
    dbt = WarmDbt(home)
    told = threading.Event()
    for ends in (signal.SIGTERM, signal.SIGINT):
        signal.signal(ends, lambda *_: told.set())
    number, begins = 0, time.monotonic()
    known: dict[str | None, Inputs] = {}
    left = last_hand(home)
    while not told.wait(max(0.0, begins - time.monotonic())):
        number += 1
        for cadence in cadences or (None,):
            if last_hand(home) != left:
                known.clear()  # somebody else was here
            inputs = Inputs.of(home)
            since = known.pop(cadence, None)
            process = FORK.Process(
                target=_refreshed, args=(home, number, cadence, since, wait, dbt, as_json)
            )
            process.start()
            process.join()
            left = last_hand(home)
            if process.exitcode == 0:
                if left[0].startswith(f"{process.pid},"):
                    known[cadence] = inputs
            elif process.exitcode != _SAID:
                _say({"round": number, "error": f"ended with {process.exitcode}"}, as_json)
        begins = max(begins + seconds, time.monotonic())


def _refreshed(
    home: Home,
    number: int,
    cadence: str | None,
    since: Inputs | None,
    wait: float,
    dbt: WarmDbt,
    as_json: bool,
) -> None:
    """Refresh, say what came of it, and end this process with 0, or with `_SAID`."""
    begun = time.monotonic()
    facts: dict[str, Any] = {"round": number, "cadence": cadence}
    try:
        release = refresh(home, cadence, wait, dbt, since)
        facts |= {"release_id": release.release_id, "rows": sum(release.rows.values())}
    except AssayError as error:
        facts["error"] = str(error)
    _say(facts | {"seconds": round(time.monotonic() - begun, 1)}, as_json)
    sys.exit(_SAID if "error" in facts else 0)


def _say(facts: dict[str, Any], as_json: bool) -> None:
    at = f"{datetime.now(UTC):%FT%TZ}"
    if as_json:
        line = json.dumps({"at": at} | facts)
    else:
        what = " ".join(filter(None, (f"round {facts['round']}", facts.get("cadence"))))
        came_of_it = facts.get("error") or (
            f"published {facts['release_id']}, {facts['rows']} rows, {facts['seconds']} s"
        )
        line = f"{at} {what}: {came_of_it}"
    print(line, flush=True)
