"""Compact on a disk that loses power, at some steps or every step: what test_power.py runs.

    python compact_power_cuts.py FOLDER SEED CUTS [careless]

When the power is back, a reader must find every row once, and so after the next compaction; once
`assay compact` has returned, the files are merged. CUTS 0 means every step. `careless` leaves out
the fsync of names while it switches, and must be found out. Exits with 1 where that does not hold.
"""

from __future__ import annotations

import random
import shutil
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from losing_disk import LosingDisk
from processes import in_child, tell
from small_batches import files_in, land_small, leftovers, read_lines

from loaders import bronze
from loaders.books import read_books
from loaders.compaction import compact as compaction
from loaders.compaction import switch
from loaders.compaction.compact import compact
from loaders.home import Home, init_home

OVER = "the end"
BATCHES = 3
STATES = 2  # of each cut: the least that there may be, and others by dice
LAST_STEPS = 7  # where a careless switch is to be found out, with so many states that it is


def main(folder: Path, seed: int, cuts: int, is_careless: bool) -> None:
    """Cut the power before steps by dice, and after the last."""
    dice = random.Random(seed)
    in_child(partial(make, folder))
    last = in_child(partial(merge, folder, 0, seed, 1, is_careless))
    steps = list(range(1, last["step"] + 1))
    states = STATES
    if is_careless:
        steps, states = steps[-LAST_STEPS:], 9 * STATES
    elif cuts:
        steps = sorted(dice.sample(steps, cuts))
    for step in [*steps, 0]:  # 0: when it has returned
        told = in_child(partial(merge, folder, step, seed, states, is_careless))
        for number in range(states):
            state = folder / f"state-{number}"
            wrong = in_child(partial(judge, folder, state, told["what"]))["wrong"]
            if wrong:
                raise SystemExit(f"{wrong}: power went before {told['what']}, state {number}")
    cuts = len(steps) + 1
    print(f"{cuts} cuts of {last['step']} steps, {cuts * states} states: all is whole")


def make(folder: Path) -> None:
    """A home with some small batches."""
    home = init_home(folder / "template")[0]
    for _ in range(BATCHES):
        land_small(home)


def merge(folder: Path, step: int, seed: int, states: int, is_careless: bool) -> None:
    """Compact a copy of the home until the power goes."""
    home = folder / "home"
    shutil.rmtree(home, ignore_errors=True)
    shutil.copytree(folder / "template", home)

    def cut(disk: LosingDisk, what: str) -> None:
        for number in range(states):
            state = folder / f"state-{number}"
            shutil.rmtree(state, ignore_errors=True)
            disk.write_state(state, random.Random(f"{seed} {step} {number}") if number else None)
        tell({"step": disk.steps, "what": what})

    if is_careless:
        switch._finish = partial(without_fsync, switch._finish)
    compaction.differing_batches = lambda *_: 0  # reads only
    disk = LosingDisk(home, step, cut)
    disk.install()
    compact(Home(home), ["attempts"], older_than=0)
    cut(disk, OVER)


def without_fsync(finish: Callable[[Path], None], bronze: Path) -> None:
    durable = switch.durable_rename, switch.fsync_folder
    switch.durable_rename, switch.fsync_folder = Path.replace, lambda _: None
    finish(bronze)
    switch.durable_rename, switch.fsync_folder = durable


def judge(folder: Path, state: Path, what: str) -> dict[str, Any]:
    """What is wrong with a state, first as it is found, then when it was compacted again."""
    home, lines = Home(state), read_lines(Home(folder / "template"))
    if read_lines(home) != lines:
        return {"wrong": "rows are gone, or there twice"}
    if len(files_in(home)) not in ({1} if what == OVER else {1, BATCHES}):
        return {"wrong": f"{len(files_in(home))} files"}
    compact(home, ["attempts"], older_than=0)
    bronze.recover(home)
    if read_lines(home) != lines or len(files_in(home)) != 1:
        return {"wrong": "rows are gone, or there twice, after the next compaction"}
    if [batch.problem for batch in read_books(home)[0]] != [None] * BATCHES:
        return {"wrong": "the books do not balance"}
    return {"wrong": f"left behind: {leftovers(home)}" if leftovers(home) else ""}


if __name__ == "__main__":
    place, seed, cuts = Path(sys.argv[1]).resolve(), int(sys.argv[2]), int(sys.argv[3])
    main(place, seed, cuts, is_careless=sys.argv[4:] == ["careless"])
