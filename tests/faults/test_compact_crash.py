"""A compaction that is killed at any moment: no row goes, or is there twice.

ASSAY_LONG=1 kills 100 times at random, ASSAY_SEED repeats the delays of a run.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from small_batches import Rows, all_rows, files_in, land_small, leftovers, read_lines

from loaders import bronze
from loaders.books import read_books
from loaders.compaction.compact import compact
from loaders.home import Home, init_home

pytestmark = pytest.mark.slow

ASSAY = Path(sys.executable).with_name("assay")
KILLS = 100 if os.environ.get("ASSAY_LONG") == "1" else 4
BATCHES = 3
PER_KILL = 10
HERE = Path(__file__).parent


def stop_everywhere(folder: Path, script: str = "steps.py") -> tuple[Rows, list[str]]:
    """Compact copies of a home, each killed one step later. Returns its lines, and the steps."""
    home = init_home(folder / "template")[0]
    for _ in range(BATCHES):
        land_small(home)
    command = [sys.executable, HERE / script, "kill", folder, "compact", "attempts"]
    said = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
    return read_lines(home), [line.partition(" ")[2] for line in said.splitlines()]


def test_kill_before_every_step(tmp_path: Path):
    """Killed before each call that changes the home; what fails instead is in test_compact_disk."""
    lines, steps = stop_everywhere(tmp_path)
    assert sum(step.startswith("os.remove ") for step in steps) > BATCHES
    assert sum(step.startswith("os.rename ") for step in steps) == 3
    assert any("list.json" in step for step in steps)
    merged = half_done = 0
    for number, step in enumerate(steps, 1):
        home, where = Home(tmp_path / str(number)), f"before {number}: {step}"
        half_done += (home.bronze / ".switch").exists()
        assert read_lines(home) == lines, where  # the first who reads finishes what was begun
        assert not (home.bronze / ".switch").exists(), where
        merged += len(files_in(home)) == 1
        assert len(files_in(home)) in (1, BATCHES), where
        if "switch" in step:
            assert [b.problem for b in read_books(home)[0]] == [None] * BATCHES, where
        compact(home, ["attempts"], older_than=0)
        bronze.recover(home)
        assert read_lines(home) == lines, where
        assert (len(files_in(home)), leftovers(home)) == (1, []), where
    print(f"{len(steps) - 1} steps, {half_done} half done, {merged} merged")
    assert 5 < half_done < merged < len(steps)


def test_the_test_sees_a_list_that_comes_too_late(tmp_path: Path):
    """Planted fault: what is written down after the switch is no help to whoever comes next."""
    lines, steps = stop_everywhere(tmp_path, "late_list.py")
    homes = (Home(tmp_path / str(number)) for number in range(len(steps), 0, -1))
    assert any(read_lines(home) != lines for home in homes)


class Traffic:
    """Batches that land, and readers that count them, until it is over."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self.wrong: list[str] = []
        self.landed: Rows = Counter()
        self.room = 0  # for so many batches more: a slow machine must not make work for itself
        self.reads = 0
        self._over = threading.Event()
        works = ((self._land, 0.1), (self._read, 0.1), (self._read, 0.1))
        self._threads = [threading.Thread(target=self._until_over, args=work) for work in works]

    def __enter__(self) -> Traffic:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _until_over(self, work: Callable[[], None], pause: float) -> None:
        try:
            while not self._over.wait(pause):
                work()
        except Exception as error:  # of a thread, nobody would see it
            self.wrong.append(repr(error))

    def _land(self) -> None:
        if self.room <= 0:
            return
        self.room -= 1
        rows = random.randrange(1, 20)
        self.landed |= Counter((land_small(self.home, rows), line) for line in range(rows))

    def _read(self) -> None:
        """A batch is in the ledger once, and with as many rows as that says."""
        lines = bronze.query(
            self.home, ["landing_ledger"], "select batch_id, accepted from bronze.landing_ledger"
        ).to_pylist()
        counted = bronze.query(
            self.home,
            ["attempts"],
            "select batch_id, count(*) as row_total from bronze.attempts group by batch_id",
        ).to_pylist()
        rows = {row["batch_id"]: row["row_total"] for row in counted}
        known = {line["batch_id"] for line in lines}
        if len(known) != len(lines):
            self.wrong.append(f"{len(lines) - len(known)} lines of the ledger twice")
        differ = sum(rows.get(line["batch_id"]) != line["accepted"] for line in lines)
        if differ:
            self.wrong.append(f"{differ} batches with other rows than the ledger says")
        self.reads += 1


@pytest.mark.timeout(3600)
def test_kill_at_random_moments(home: Home, dice: random.Random):
    """Kill the real command while others land and read: no reader ever counts anything else."""
    command = [ASSAY, "compact", "--older-than", "0s", "--home", home.path]

    def await_file(name: str, process: subprocess.Popen[bytes]) -> None:
        while process.poll() is None and not (home.bronze / ".staging" / name).exists():
            time.sleep(0.0005)

    def merged_files(home: Home) -> list[Path]:
        return sorted(home.bronze.glob("*/*/merged-*"))

    def start() -> subprocess.Popen[bytes]:
        return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    moments: Counter[str] = Counter()
    for _ in range(PER_KILL):
        land_small(home)
    with Traffic(home) as traffic:
        undisturbed = start()
        await_file("merge.lock", undisturbed)
        began = time.monotonic()
        assert undisturbed.wait() == 0
        last = time.monotonic() - began
        for number in range(KILLS):
            traffic.room = PER_KILL
            before = merged_files(home)
            process = start()
            await_file("merge.lock", process)
            if number % 2:
                time.sleep(dice.uniform(0, last))
            else:  # about when it switches
                await_file("merge/list.json", process)
                time.sleep(dice.uniform(0, 0.05))
            process.kill()
            killed = process.wait() != 0
            has_merged = merged_files(home) != before
            moments["ended" if not killed else "merged some" if has_merged else "merged none"] += 1
        reads = traffic.reads
        while traffic.reads < reads + 4 and not traffic.wrong:
            time.sleep(0.01)
    assert traffic.wrong == []
    compact(home, older_than=0)
    lines = read_lines(home)
    assert max(lines.values()) == 1
    assert traffic.landed <= lines
    assert len(all_rows(home, "attempts")) == lines.total()
    assert {batch.problem for batch in read_books(home)[0]} == {None}
    assert leftovers(home) == []
    print(
        f"{KILLS} kills within {last:.2f} s, {dict(moments)}; {traffic.reads} reads, "
        f"{lines.total()} rows of {len(read_books(home)[0])} batches"
    )
