"""Bytes of the spool that are not what they were: only the record they are in may be gone."""

from __future__ import annotations

import json
import os
import random
import secrets
import shutil
import struct
from pathlib import Path

import pytest
from collecting import LONG, assert_balanced, event, rows, sums
from spooling import damaged_letters, drain, drain_of, root_of, submission

from loaders.collector import store
from loaders.collector.backlog import read_backlog
from loaders.collector.spool import Spool
from loaders.home import Home, init_home

FLIPS = 400 if LONG else 12
BIG = "y" * 9_000  # more than a page of SQLite's file


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Home, set[str]]]:
    """Homes with a backlog: in the file, as after an end in order, and in its log, as after a kill.

    Some of it has landed already, and must not land again.
    """
    made = {}
    for kind in ("file", "log"):
        home = init_home(tmp_path_factory.mktemp(kind) / "home")[0]
        with Spool(root_of(home)) as spool:
            spool.submit(submission([f"old {n}" for n in range(30)])).result()
            drain(home, spool)
            names = set()
            for part in range(40):
                batch = [f"{kind} {part} {n}" for n in range(5)]
                source = "web" if part % 3 else "app"
                more = {"path": BIG} if part % 5 == 0 else {}
                spool.submit(submission(batch, source, **more)).result()
                names.update(batch)
            killed = shutil.copytree(home.path, home.path.with_name("killed"))
        made[kind] = (Home(killed) if kind == "log" else home, names)
    return made


def part_of(home: Home, suffix: str) -> Path:
    return store.live_folders(root_of(home))[0] / (store.NAME + suffix)


def landed_after(home: Home) -> list[str]:
    """Open the spool, land what is in it, and return what bronze has."""
    with Spool(root_of(home)) as spool:
        assert spool.problem is None  # whatever happened, it starts
        spool.submit(submission(["new"])).result()
        drain(home, spool)
    assert_balanced(home)
    return sorted(row["event_id"] for row in rows(home, "attempts"))


@pytest.mark.parametrize("kind", ["file", "log"])
def test_undamaged(filled: dict[str, tuple[Home, set[str]]], kind: str, tmp_path: Path):
    home, names = filled[kind]
    home = Home(shutil.copytree(home.path, tmp_path / "home"))
    if kind == "log":
        assert part_of(home, "-wal").stat().st_size > 500_000
    landed = landed_after(home)
    assert landed == sorted({*names, "new", *(f"old {n}" for n in range(30))})
    assert damaged_letters(home) == 0
    assert not list(root_of(home).glob("*.salvaged"))


@pytest.mark.parametrize("kind", ["file", "log"])
def test_a_flipped_bit_costs_at_most_one_record(
    filled: dict[str, tuple[Home, set[str]]], kind: str, tmp_path: Path
):
    seed = int(os.environ.get("ASSAY_SEED") or secrets.randbelow(2**32))
    print(f"ASSAY_SEED={seed}")
    dice = random.Random(seed)
    given, names = filled[kind]
    expected = sorted({*names, "new", *(f"old {n}" for n in range(30))})
    outcomes = {"nothing lost": 0, "one lost": 0, "salvaged": 0}
    for number in range(FLIPS):
        home = Home(shutil.copytree(given.path, tmp_path / f"{number}"))
        path = part_of(home, "-wal" if kind == "log" else "")
        place = dice.randrange(path.stat().st_size) if number > 3 else number * 16
        with path.open("r+b") as file:
            file.seek(place)
            byte = file.read(1)[0]
            file.seek(place)
            file.write(bytes([byte ^ 1 << dice.randrange(8)]))
        landed = landed_after(home)
        where = f"byte {place}"
        assert len(set(landed)) == len(landed), where
        missing = sorted(set(expected) - set(landed))
        assert set(landed) <= set(expected), where
        assert len(missing) <= 1, where
        assert damaged_letters(home) == len(missing), where
        outcomes["one lost" if missing else "nothing lost"] += 1
        outcomes["salvaged"] += bool(list(root_of(home).glob("*.salvaged")))
        shutil.rmtree(home.path)
    print(f"{kind}: {FLIPS} flips: {outcomes}")


@pytest.mark.parametrize("place", [8, 15])
@pytest.mark.parametrize("frame", [1, 150, -1])
def test_a_flipped_bit_in_the_salts_of_a_frame(
    filled: dict[str, tuple[Home, set[str]]], frame: int, place: int, tmp_path: Path
):
    """SQLite takes such a frame, and all that follow it, for the rest of an older log."""
    given, names = filled["log"]
    home = Home(shutil.copytree(given.path, tmp_path / "home"))
    path = part_of(home, "-wal")
    data = bytearray(path.read_bytes())
    frames = range(store.WAL_HEADER, len(data), store.WAL_FRAME + store.PAGE)
    data[frames[frame] + place] ^= 4
    path.write_bytes(data)
    assert landed_after(home) == sorted({*names, "new", *(f"old {n}" for n in range(30))})
    assert list(root_of(home).glob("*.salvaged"))


@pytest.mark.parametrize("kind", ["file", "log"])
def test_a_tail_that_is_gone(filled: dict[str, tuple[Home, set[str]]], kind: str, tmp_path: Path):
    """What is whole in what is left lands."""
    seed = int(os.environ.get("ASSAY_SEED") or secrets.randbelow(2**32))
    print(f"ASSAY_SEED={seed}")
    dice = random.Random(seed)
    given, names = filled[kind]
    for number in range(FLIPS // 3):
        home = Home(shutil.copytree(given.path, tmp_path / f"{number}"))
        path = part_of(home, "-wal" if kind == "log" else "")
        size = dice.randrange(path.stat().st_size)
        os.truncate(path, size)
        left = path.read_bytes()
        if kind == "log":  # what no commit follows was never answered
            frame = store.WAL_FRAME + store.PAGE
            ends = range(store.WAL_HEADER, size - store.WAL_FRAME, frame)
            left = left[: max((at for at in ends if any(left[at + 4 : at + 8])), default=0)]
        landed = landed_after(home)
        assert len(set(landed)) == len(landed), size
        for name in names:
            if json.dumps(event(name)).encode() in left:
                assert name in landed, f"{name}, cut at {size}"
        shutil.rmtree(home.path)


def test_a_record_that_is_damaged_is_told_by_its_number(home: Home):
    with Spool(root_of(home)) as spool:
        spool.submit(submission([f"n{n}" for n in range(10)])).result()
        spool.do(
            lambda connection: connection.execute(
                "update records set frame = zeroblob(20) where key = ?", [store.key_of(1, 4)]
            )
        ).result()
        drain(home, spool)
    (letter,) = rows(home, "dead_letters")
    assert (letter["code"], letter["line_number"], letter["raw"]) == ("buffer_corrupt", 4, None)
    assert sums(home) == {"received": 10, "accepted": 9, "rejected": 1, "duplicates": 0}
    backlog = read_backlog(root_of(home))
    assert backlog
    assert (backlog.records, backlog.damaged) == (0, 1)
    assert_balanced(home)


def test_a_log_that_has_just_begun_anew_is_no_damage(filled: dict[str, tuple[Home, set[str]]]):
    """Killed when SQLite had written the header of a new log over an old one, and nothing else."""
    home = Home(shutil.copytree(filled["log"][0].path, filled["log"][0].path.with_name("anew")))
    file, log = part_of(home, ""), part_of(home, "-wal")
    old = log.read_bytes()
    connection = store.connect(file)
    connection.execute("pragma wal_checkpoint(full)")
    whole = file.read_bytes()
    connection.close()
    file.write_bytes(whole)
    salt = int.from_bytes(old[16:20], "big") + 1
    header = old[12:16] + salt.to_bytes(4, "big") + b"anew"
    log.write_bytes(with_checksum(old[:12] + header) + old[32:])
    assert landed_after(home)
    assert not list(root_of(home).glob("*.salvaged"))
    log.write_bytes(old[:16] + b"flip" + old[20:])
    landed_after(home)
    assert list(root_of(home).glob("*.salvaged"))


def with_checksum(header: bytes) -> bytes:
    """The header of a log, 24 bytes, with the checksum that SQLite's file format asks for."""
    order = ">" if header[3] & 1 else "<"
    first = second = 0
    words = struct.unpack(f"{order}6I", header)
    for one, other in zip(words[::2], words[1::2], strict=True):
        first = (first + one + second) % (1 << 32)
        second = (second + other + first) % (1 << 32)
    return header + struct.pack(">2I", first, second)


def test_a_file_that_is_no_database_is_moved_aside(home: Home):
    with Spool(root_of(home)) as spool:
        spool.submit(submission(["gone"])).result()
    part_of(home, "").write_bytes(b"no database at all" * 1000)
    assert landed_after(home) == ["new"]
    assert len(list(root_of(home).glob("*.salvaged"))) == 1


def test_numbers_of_a_range_that_is_being_forgotten_are_not_given_again(home: Home):
    """Killed when its records are gone and its range is not: what comes next is another range's."""
    with Spool(root_of(home)) as spool:
        spool.submit(submission(["first"])).result()
        spool.drained = lambda *_: None
        drain_of(home, spool).once()
        spool.do(lambda connection: store.forget(connection, [0, 1 << 60])).result()
    with Spool(root_of(home)) as spool:
        spool.submit(submission(["second"])).result()
        drain(home, spool)
    assert sorted(row["event_id"] for row in rows(home, "attempts")) == ["first", "second"]
