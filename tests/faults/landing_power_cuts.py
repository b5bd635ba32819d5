"""Land a file on a disk that loses power, at some steps or every step: what test_power.py runs.

    python landing_power_cuts.py FOLDER SEED CUTS [careless]

A batch that was there before must stay. When the power is back, landing the file again must make
its batch whole, once; once `assay land` has returned, it must be there already. CUTS 0 means every
step. `careless` leaves out the fsync of names where readers look, and must be found out. Exits with
1 where that does not hold.
"""

from __future__ import annotations

import json
import random
import shutil
import sys
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from losing_disk import LosingDisk
from processes import in_child, tell

from loaders.books import read_books
from loaders.home import Home, init_home
from loaders.landing.batches import land_file
from loaders.sinks import parquet

OVER = "the end"


def main(folder: Path, seed: int, cuts: int, is_careless: bool) -> None:
    """Cut the power before steps by dice, and after the last."""
    dice = random.Random(seed)
    in_child(partial(make, folder))
    states = [folder / "least", folder / "other"]
    last = in_child(partial(land, folder, 0, states, is_careless))
    steps = [0, *(range(1, last["step"] + 1))]  # 0: when it has returned
    if cuts:
        steps = [0, *sorted(dice.sample(steps[1:], cuts))]
    for step in steps:
        told = in_child(partial(land, folder, step, states, is_careless))
        for state in states:
            wrong = in_child(partial(judge, folder, state, told["what"]))["wrong"]
            if wrong:
                raise SystemExit(f"{wrong}: power went before {told['what']}, {state.name}")
    print(f"{len(steps)} cuts of {last['step']} steps, {2 * len(steps)} states: all is whole")


def make(folder: Path) -> None:
    """Two files, and a home in which the first has landed."""
    attempt = {"timestamp": "2026-05-01T10:00:00Z", "action": "login", "status": "success"}
    for name, ids in (("earlier", "ab"), ("sent", "cdef")):
        lines = [json.dumps(attempt | {"event_id": event_id}) for event_id in ids]
        (folder / name).write_text("\n".join([*lines, "{broken"]))
    land_file(init_home(folder / "template")[0], "attempts", folder / "earlier")


def land(folder: Path, step: int, states: list[Path], is_careless: bool) -> None:
    """Land in a copy of the home until the power goes."""
    home = folder / "home"
    shutil.rmtree(home, ignore_errors=True)
    shutil.copytree(folder / "template", home)

    def cut(disk: LosingDisk, what: str) -> None:
        for number, state in enumerate(states):
            shutil.rmtree(state, ignore_errors=True)
            disk.write_state(state, random.Random(step) if number else None)
        tell({"step": disk.steps, "what": what})

    if is_careless:
        parquet.durable_rename = Path.replace
        parquet.fsync_folder = lambda _: None
    disk = LosingDisk(home, step, cut)
    disk.install()
    land_file(Home(home), "attempts", folder / "sent")
    cut(disk, OVER)


def judge(folder: Path, state: Path, what: str) -> dict[str, Any]:
    """What is wrong with a state, first as it is found, then when the file was landed again."""
    home = Home(state)
    found = ids(home)
    if not found >= Counter("ab"):
        return {"wrong": "an earlier batch is gone"}
    if what == OVER and found != Counter("abcdef"):
        return {"wrong": "what was landed is gone"}
    land_file(home, "attempts", folder / "sent")
    if ids(home) != Counter("abcdef"):
        return {"wrong": "lost, or there twice"}
    if [batch.problem for batch in read_books(home)[0]] != [None, None]:
        return {"wrong": "the books do not balance"}
    return {"wrong": ""}


def ids(home: Home) -> Counter[str]:
    files = (home.bronze / "attempts").glob("ingest_date=*/*.parquet")
    return Counter(i for file in files for i in pq.read_table(file)["event_id"].to_pylist())


if __name__ == "__main__":
    place, seed, cuts = Path(sys.argv[1]).resolve(), int(sys.argv[2]), int(sys.argv[3])
    main(place, seed, cuts, is_careless=sys.argv[4:] == ["careless"])
