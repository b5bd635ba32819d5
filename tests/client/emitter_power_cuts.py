"""A client's spool whose power goes: what test_emitter_power.py runs.

    python emitter_power_cuts.py FOLDER SEED CUTS [FAULT ...]

What was put on disk must be there when the power is back, under the same key if it was sent
before, and no number may be given twice. Exits with 1 where that does not hold. With faults, each
is planted in turn, and must be found out.
"""

from __future__ import annotations

import json
import mmap
import random
import shutil
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from losing_disk import LosingDisk
from processes import in_child, tell

from loaders.client import numbering
from loaders.client import spool as spools
from loaders.client.numbering import KeptNumbers
from loaders.client.spool import Place, Spool

BOUNDS = (1 << 20, 400, 8)  # of a spool: bytes, and bytes and events of a batch
TYPICAL = 90
Number = tuple[str, int]


def main(folder: Path, seed: int, cuts: int, faults: list[str]) -> None:
    """Cut the power so often, or until each fault shows."""
    dice = random.Random(seed)
    for fault in faults or [""]:
        wrong = next(filter(None, (cut(folder, dice, fault) for _ in range(cuts))), "")
        print(f"{fault or 'no fault'}: {cuts} cuts: {wrong or 'nothing is lost'}", flush=True)
        if bool(wrong) != bool(fault):
            raise SystemExit(1)


def cut(folder: Path, dice: random.Random, fault: str) -> str:
    """Cut the power once, and look at what may be there. Returns what is wrong with it."""
    shutil.rmtree(folder / "host", ignore_errors=True)
    (folder / "host").mkdir()
    states = [folder / "least", folder / "other"]
    told = in_child(partial(work, folder / "host", dice.randrange(1, TYPICAL), states, fault))
    found = [in_child(partial(look, state, told, fault)) for state in states]
    for state in states:
        shutil.rmtree(state)
    return next((f"{f['wrong']} before {told['what']}" for f in found if f["wrong"]), "")


def work(host: Path, at: int, states: list[Path], fault: str) -> None:
    """Number events, put them on disk and send some, as an emitter does, until the power goes."""
    dice = random.Random(at)
    given: list[Number] = []
    kept: set[Number] = set()
    keys: dict[str, list[Number]] = {}

    def power_goes(disk: LosingDisk, what: str) -> None:
        for number, state in enumerate(states):
            disk.write_state(state, dice if number else None)
        tell({"given": given, "kept": sorted(kept), "keys": keys, "what": what})

    disk = LosingDisk(host, at, power_goes)
    disk.install()

    class Mapped(mmap.mmap):
        """`flush` is to the file it maps what fsync is to others."""

        def flush(self, *_: int) -> None:
            super().flush()
            disk.synced((place.path / "next").stat().st_ino)

    numbering.mmap.mmap = Mapped
    numbering._boot_id = lambda: "this one"
    plant(fault)
    for _ in range(2):
        place = Place(host / "spool" / "attempts")
        place.adopt()
        numbers, spool = KeptNumbers("app", place.path), Spool(place.path, *BOUNDS)
        for _ in range(dice.randrange(2, 9)):
            events = [(numbers.producer, numbers.take()) for _ in range(dice.randrange(1, 6))]
            given += events
            spool.append([json.dumps({"at": event}).encode() + b"\n" for event in events])
            kept.update(events)
            if dice.random() < 0.4 and (batch := spool.first()) and batch.path:
                keys[batch.key] = events_of(batch.body)
                if dice.random() < 0.5:
                    kept.difference_update(events_of(batch.body))
                    spool.remove(batch.path)
        if dice.random() < 0.5:
            numbers.close()
        place.release()
    power_goes(disk, "the end")


def look(host: Path, told: dict[str, Any], fault: str) -> dict[str, Any]:
    """What the next emitter finds after the machine has started anew."""
    numbering._boot_id = lambda: "another"
    plant(fault)
    place = Place(host / "spool" / "attempts")
    place.adopt()
    spool, there = Spool(place.path, *BOUNDS), []
    keys = {number: key for key, events in told["keys"].items() for number in map(tuple, events)}
    wrong = []
    while batch := spool.first():
        for event in events_of(batch.body):
            there.append(event)
            if keys.get(event, batch.key) != batch.key:
                wrong.append("another key for what was sent before")
        assert batch.path
        spool.remove(batch.path)
    lost = set(map(tuple, told["kept"])) - set(there)
    if lost:
        wrong.append(f"{len(lost)} events are gone")
    if len(set(there)) < len(there):
        wrong.append("an event is there twice")
    numbers = KeptNumbers("app", place.path)
    if (numbers.producer, numbers.take()) in set(map(tuple, told["given"])):
        wrong.append("a number is given twice")
    return {"wrong": ", ".join(sorted(set(wrong)))}


def events_of(body: bytes) -> list[Number]:
    return [(event["at"][0], event["at"][1]) for event in map(json.loads, body.splitlines())]


def plant(fault: str) -> None:
    if fault:
        FAULTS[fault]()


def _without(name: str) -> Callable[[], None]:
    return lambda: setattr(spools, name, lambda *_: None)


def _appends_without_fsync() -> None:
    def append(path: Path, data: bytes, size: int) -> None:
        with path.open("ab" if size else "wb", buffering=0) as file:
            file.write(data)

    spools._append_durably = append


FAULTS: dict[str, Callable[[], None]] = {
    "appends without fsync": _appends_without_fsync,
    "forgets folders": _without("fsync_folder"),
    "does not notice that the machine went down": lambda: setattr(
        numbering, "_boot_id", lambda: "always the same"
    ),
}

if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve(), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4:])
