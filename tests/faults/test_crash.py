"""Landing that is killed at any moment: the batch is wholly there or not at all, and lands once.

The acceptance sentence is "0 lost, 0 duplicated". ASSAY_LONG=1 kills 200 times, ASSAY_SEED repeats
the delays of a run.
"""

from __future__ import annotations

import json
import os
import random
import secrets
import shutil
import subprocess
import sys
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from kept_validator import one_validator
from steps import STRIDE

from loaders import bronze
from loaders.books import read_books
from loaders.demo import write_demo
from loaders.home import Home, init_home
from loaders.landing.batches import land_file

__all__ = ["one_validator"]  # a fixture

pytestmark = pytest.mark.slow

BIN = Path(sys.executable).parent
KILLS = 200 if os.environ.get("ASSAY_LONG") == "1" else 6
EVENTS = 40_000 if KILLS > 100 else 6_000
BROKEN_EVERY = 1_000

Seen = tuple[int, int, int]  # rows, dead letters and ledger lines that a reader finds


def files_of(home: Home, table: str) -> list[Path]:
    files = (home.bronze / table).glob("ingest_date=*/*.parquet")
    return [file for file in files if file.name != "schema.parquet"]


def seen(home: Home) -> Seen:
    """What bronze shows without any help of Assay."""
    rows, letters, lines = (
        sum(pq.ParquetFile(file).metadata.num_rows for file in files_of(home, table))
        for table in ("attempts", "dead_letters", "landing_ledger")
    )
    return rows, letters, lines


def event_ids(home: Home) -> Counter[str]:
    columns = (pq.read_table(f, columns=["event_id"]) for f in files_of(home, "attempts"))
    return Counter(name for column in columns for name in column["event_id"].to_pylist())


def leftovers(home: Home) -> list[str]:
    """What landing left in the folders that readers do not look into."""
    folders = (home.bronze / ".staging", home.bronze / ".committed")
    return [path.name for folder in folders if folder.exists() for path in folder.iterdir()]


def progress_of(home: Home) -> str:
    """How far a landing had come when it was killed."""
    if files_of(home, "landing_ledger"):
        return "landed"
    if list((home.bronze / ".committed").glob("*")):
        return "committed"
    if list((home.bronze / ".staging").glob("*/*")):
        return "writing"
    return "begun"


def write_sent(folder: Path) -> tuple[Path, list[str], int]:
    """A file that takes a second or so to land: its ids, and how many of its lines are broken."""
    write_demo(folder, EVENTS, 7, datetime(2026, 6, 1, tzinfo=UTC))
    lines = (folder / "attempts-01.jsonl").read_text(encoding="utf-8").splitlines()
    ids = [json.loads(line)["event_id"] for line in lines]
    broken = len(lines[::BROKEN_EVERY])
    for at in range(0, len(lines) + broken, BROKEN_EVERY + 1):
        lines.insert(at, "{broken")
    sent = folder / "sent.jsonl"
    sent.write_text("\n".join(lines), encoding="utf-8")
    return sent, ids, lines.count("{broken")


def start(*arguments: object) -> subprocess.Popen[bytes]:
    """Start `assay` and let it run."""
    return subprocess.Popen(
        [BIN / "assay", *map(str, arguments)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )


@pytest.mark.timeout(3600)
def test_kill_at_random_moments(tmp_path: Path):
    """Kill, look, land again: never a part of a batch, never a row lost or there twice."""
    seed = int(os.environ.get("ASSAY_SEED") or secrets.randbelow(2**32))
    print(f"ASSAY_SEED={seed}")
    dice = random.Random(seed)
    sent, ids, broken = write_sent(tmp_path / "sent")
    whole: Seen = (len(ids), broken, 1)

    def land(home: Home) -> subprocess.Popen[bytes]:
        return start("land", "attempts", sent, "--home", home.path)

    def begins(home: Home, process: subprocess.Popen[bytes]) -> None:
        """Return when the batch is begun: before that, nothing can break."""
        while process.poll() is None and not list((home.bronze / ".staging").glob("*.lock")):
            time.sleep(0.002)

    home = init_home(tmp_path / "undisturbed")[0]
    undisturbed = land(home)
    begins(home, undisturbed)
    begun = time.monotonic()
    assert undisturbed.wait() == 0
    last = time.monotonic() - begun
    assert seen(home) == whole

    moments: Counter[str] = Counter()
    for number in range(KILLS):
        home = init_home(tmp_path / f"killed-{number}")[0]
        process = land(home)
        begins(home, process)
        time.sleep(dice.uniform(0, last))
        process.kill()
        was_killed = process.wait() != 0
        moment = progress_of(home) if was_killed else "finished"
        moments[moment] += 1
        where = f"kill {number}, {moment}"

        assert seen(home)[2] == 0 or seen(home) == whole, where  # the ledger comes last
        bronze.recover(home)
        after = seen(home)
        assert after in ((0, 0, 0), whole), where
        if not was_killed:
            assert after == whole, where

        land_file(home, "attempts", sent)
        assert seen(home) == whole, where
        assert leftovers(home) == [], where
        (batch,) = read_books(home)[0]
        assert batch.problem is None, where
        assert (batch.accepted, batch.rejected) == (len(ids), broken), where
        if number % 10 == 0:
            assert event_ids(home) == Counter(ids), where
    print(f"{KILLS} kills within {last:.2f} s of a batch: {dict(moments)}")
    ledger = subprocess.run(
        [BIN / "assay", "ledger", "--home", home.path], capture_output=True, check=False
    )
    assert ledger.returncode == 0


BEFORE, WHOLE = (2, 1, 1), (6, 2, 2)


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, str]]:
    """By mode, the homes of landings that were stopped at every step, and what steps.py said."""
    running = {}
    attempt = {"timestamp": "2026-05-01T10:00:00Z", "action": "login", "status": "success"}
    for mode in ("kill", "fail"):
        folder = tmp_path_factory.mktemp(mode)
        for file, names in (("earlier.jsonl", "ab"), ("sent.jsonl", "cdef")):
            rows = [json.dumps(attempt | {"event_id": name}) for name in names]
            (folder / file).write_text("\n".join([*rows, "{broken"]), encoding="utf-8")
        land_file(init_home(folder / "template")[0], "attempts", folder / "earlier.jsonl")
        command = [sys.executable, Path(__file__).with_name("steps.py"), mode, folder, "land"]
        running[mode] = (
            folder,
            subprocess.Popen([*command, folder / "sent.jsonl"], stdout=subprocess.PIPE, text=True),
        )
    said = {mode: (folder, process.communicate()[0]) for mode, (folder, process) in running.items()}
    assert [process.returncode for _, process in running.values()] == [0, 0]
    return said


def parted(line: str) -> tuple[str, str, str]:
    """A line of steps.py: number and step."""
    return line.partition(" ")


def at_step(stopped: dict[str, tuple[Path, str]], mode: str, step: str) -> Path:
    """The home of the landing that was stopped before the first step that begins like this."""
    folder, said = stopped[mode]
    lines = map(parted, said.splitlines())
    return folder / next(number for number, _, found in lines if found.startswith(step))


def test_the_books_balance_right_after_a_kill(stopped: dict[str, tuple[Path, str]]):
    """Nobody has to land something first to see a batch that was committed and not moved."""
    folder, said = stopped["kill"]
    homes = [Home(folder / line.split()[0]) for line in said.splitlines()]
    assert [b.problem for home in homes for b in read_books(home)[0] if b.problem] == []


def test_what_a_killed_landing_wrote_goes_when_another_file_lands(
    stopped: dict[str, tuple[Path, str]], tmp_path: Path
):
    """Its file may never come again, and what it wrote holds people's data."""
    copied = shutil.copytree(at_step(stopped, "kill", "fsync"), tmp_path / "home")
    other = tmp_path / "other.jsonl"
    other.write_text("{broken")
    land_file(Home(copied), "attempts", other)
    assert leftovers(Home(copied)) == []


def test_what_a_killed_landing_read_goes_too(tmp_path: Path):
    """Killed while it copies standard input into the home."""
    home = init_home(tmp_path / "home")[0]
    before = set(home.path.iterdir())
    command = [BIN / "assay", "land", "attempts", "-", "--home", home.path]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as process:
        assert process.stdin
        process.stdin.write(b"{}\n" * 1_000_000)  # returns when most of it was read
        process.kill()
    assert set(home.path.iterdir()) > before
    other = tmp_path / "other.jsonl"
    other.write_text("{broken")
    subprocess.run([*command[:3], other, *command[4:]], check=True, capture_output=True)
    assert set(home.path.iterdir()) == before


@pytest.mark.parametrize("mode", ["kill", "fail"])
def test_stop_before_every_step(stopped: dict[str, tuple[Path, str]], mode: str):
    """Killed before each call that changes the home, or told by some that the disk is full.

    A batch that was there before stays as it is. With ASSAY_LONG=1 each of them fails.
    """
    folder, said = stopped[mode]
    steps = {int(number): step for number, _, step in map(parted, said.splitlines())}
    share = 1 if mode == "kill" else STRIDE
    assert len(steps) > 40 / share
    assert sum(step.startswith("fsync ") for step in steps.values()) > 10 / share
    if share == 1:
        assert sum(step.startswith("os.rename ") for step in steps.values()) == 4

    outcomes: Counter[Seen] = Counter()
    for number, step in steps.items():
        home, where = Home(folder / str(number)), f"{mode} before step {number}: {step}"
        assert seen(home)[2] == 1 or seen(home) == WHOLE, where
        bronze.recover(home)
        assert seen(home) in (BEFORE, WHOLE), where
        outcomes[seen(home)] += 1
        land_file(home, "attempts", folder / "sent.jsonl")
        assert seen(home) == WHOLE, where
        assert event_ids(home) == Counter("abcdef"), where
        assert [batch.problem for batch in read_books(home)[0]] == [None, None], where
        assert leftovers(home) == [], where
    print(
        f"{mode}: {len(steps) - 1} steps, {outcomes[BEFORE]} without the batch, "
        f"{outcomes[WHOLE]} with it"
    )
    assert outcomes[BEFORE] > 20 / share
    assert outcomes[WHOLE] > 10 / share
