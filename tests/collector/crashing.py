"""A collector that is killed again and again while events come in, and what became of them."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import duckdb
from collecting import Collector, token
from crash_sender import ALLOWED, BROKEN, has_keys

from loaders.compaction.switch import settle
from loaders.home import Home

SENDERS = 4
SENDER = Path(__file__).with_name("crash_sender.py")
# What the collector is killed at, and how often of twelve: while it takes events, writes a batch,
# moves one to where readers look, forgets what has landed, or starts.
AIMS = {"accepting": 3, "landing": 3, "moving": 2, "forgetting": 2, "starting": 2}
START_SECONDS, UP_SECONDS, WAIT_SECONDS = 1.2, 0.8, 5.0
LAST_SECONDS = 3600.0  # for what is left to be sent and landed when the killing is over
LAND_SECONDS = {"landing": 0.5, "moving": 0.01, "forgetting": 0.03}


@dataclass
class Run:
    """What was done: kills by what the collector was doing, and what every sender sent."""

    kills: Counter[str] = field(default_factory=Counter)
    senders: list[dict] = field(default_factory=list)
    seconds: float = 0

    @property
    def sent(self) -> int:
        return sum(sender["sent"] for sender in self.senders)

    @property
    def sent_again(self) -> int:
        return sum(last - first + 1 for s in self.senders for first, last in s["again"])


def run(
    home: Home,
    kills: int,
    events: int,
    dice: random.Random,
    seconds: float = float("inf"),
    command: list[str] | None = None,
    aims: dict[str, int] = AIMS,
) -> Run:
    """Kill a collector so often while so many events are sent, then let the last one drain all.

    After so many seconds nobody is killed any more, and nothing more is sent.
    """
    collector, bearer, done = Collector(home, command=command), token(home), Run()
    begun = time.monotonic()
    collector.start()
    senders = Senders(home, collector.url(""), bearer, dice)
    for number in range(kills):
        if time.monotonic() - begun > seconds:
            break
        senders.allow(events * (number + 1) // kills)
        phase = until_it_is_time(collector, dice, aims)
        # Where landing has a process of its own, it dies alone, with the collector, or not at all.
        landers = children_of(collector)
        is_alone = bool(landers) and dice.random() < 0.3
        if is_alone or dice.random() < 0.5:
            for lander in landers:
                os.kill(lander, signal.SIGKILL)
        if not is_alone:
            collector.stop(signal.SIGKILL)
            collector.begin()
        done.kills[phase + ", only what lands" * is_alone] += 1
        if number % 20 == 19:
            print(f"{done.kills.total()} kills {dict(done.kills)}", flush=True)
    collector.answers()
    done.senders = senders.finish()
    collector.drained(LAST_SECONDS)
    done.seconds = time.monotonic() - begun
    assert collector.stop() == 0
    return done


def until_it_is_time(collector: Collector, dice: random.Random, aims: dict[str, int]) -> str:
    """Wait for a moment by dice, and say what the collector is doing then."""
    aim = dice.choices(list(aims), list(aims.values()))[0]
    if aim == "starting":
        time.sleep(dice.uniform(0, START_SECONDS))
        if not collector.is_answering():
            return aim
        return doing(collector.home) or "accepting"
    collector.answers()
    if aim == "accepting":
        time.sleep(dice.uniform(0, UP_SECONDS))
        return doing(collector.home) or aim
    landed, until = ledger_lines(collector.home), time.monotonic() + WAIT_SECONDS

    def has_come() -> bool:
        if aim == "forgetting":
            return ledger_lines(collector.home) > landed
        return doing(collector.home) in (aim, "moving")

    while not has_come():
        if time.monotonic() > until:  # there was nothing to land
            return doing(collector.home) or "accepting"
        time.sleep(0.001)
    time.sleep(dice.uniform(0, LAND_SECONDS[aim]))
    return doing(collector.home) or ("forgetting" if aim == "forgetting" else "accepting")


def doing(home: Home) -> str:
    """Whether it writes a batch, or moves one that is committed; "" where it does neither."""
    if any((home.bronze / ".committed").glob("*")):
        return "moving"
    # A lock that somebody holds: what the dead left behind is no sign of it.
    for lock in (home.bronze / ".staging").glob("*.lock"):
        with contextlib.suppress(FileNotFoundError), lock.open() as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return "landing"
    return ""


def children_of(collector: Collector) -> list[int]:
    assert collector.process
    tasks = Path(f"/proc/{collector.process.pid}/task").glob("*/children")
    return [int(child) for task in tasks for child in task.read_text().split()]


def ledger_lines(home: Home) -> int:
    return len(batch_files(home, "landing_ledger"))


class Senders:
    """Processes that send for as long as they are allowed to."""

    def __init__(self, home: Home, url: str, bearer: str, dice: random.Random) -> None:
        self._allowed = home.path.parent / "allowed"
        self._outs = [home.path.parent / f"sender-{n}.json" for n in range(SENDERS)]
        self._given = (0, 0)
        self._write(0, is_all=False)
        self._processes = [
            subprocess.Popen(
                [sys.executable, SENDER, url, bearer]
                + [str(x) for x in (n, dice.randrange(2**32), self._allowed, out)]
            )
            for n, out in enumerate(self._outs)
        ]

    def allow(self, events: int) -> None:
        """Let all together send so many events, counted from the beginning."""
        self._write(events // SENDERS, is_all=False)

    def finish(self) -> list[dict]:
        """Let them come to an end, and return what each did."""
        self._write(self._given[0], is_all=True)
        assert [process.wait(LAST_SECONDS) for process in self._processes] == [0] * SENDERS
        return [json.loads(out.read_text()) for out in self._outs]

    def _write(self, events: int, is_all: bool) -> None:
        self._given = (events, int(is_all))
        aside = self._allowed.with_suffix(".new")
        aside.write_bytes(ALLOWED.pack(*self._given))
        aside.rename(self._allowed)


@dataclass(frozen=True)
class Found:
    """What bronze has of what was sent. All are events."""

    lost: int  # answered, and nowhere
    landed: int
    refused: int
    strange: int  # that nobody sent like this
    twice: int  # beyond the first
    twice_wrongly: int  # of those that came once for sure, or under a key


def look(home: Home, done: Run) -> Found:
    """Compare by numbers, not by names: millions of them are little to DuckDB."""
    connection = duckdb.connect()
    connection.execute(
        "create table sent (sender int, number bigint, is_broken boolean, may_be_twice boolean)"
    )
    for sender in done.senders:
        number, spans = sender["sender"], [] if has_keys(sender["sender"]) else sender["again"]
        connection.execute("create or replace temp table spans (first bigint, last bigint)")
        if spans:
            connection.executemany("insert into spans values (?, ?)", spans)
        connection.execute(
            f"insert into sent select {number}, n, n % {BROKEN} = 0, "
            "exists (select 1 from spans where n between first and last) "
            f"from range({sender['sent']}) as numbers(n)"
        )
    settle(home.bronze)  # a merge may have been killed with its collector
    for table in ("attempts", "dead_letters"):
        files = [str(f) for f in batch_files(home, table)]
        connection.execute(
            f"create table {table} as select split_part(event_id, '-', 1)::int as sender, "
            "split_part(event_id, '-', 2)::bigint as number, count(*) as times "
            f"from read_parquet({files or [str(schema_file(home, table))]}) "
            "where event_id is not null group by all"  # what is damaged has none
        )
    row = connection.execute(
        """
        with found as (
            select
                coalesce(attempts.times, 0) as landed,
                coalesce(dead_letters.times, 0) as refused,
                case when is_broken then refused else landed end as rightly,
                greatest(landed + refused - 1, 0) as twice,
                may_be_twice
            from sent
            left join attempts using (sender, number)
            left join dead_letters using (sender, number)
        )
        select
            count(*) filter (where rightly = 0),
            any_value(all_landed),
            any_value(all_refused),
            any_value(all_landed) + any_value(all_refused) - sum(rightly),
            sum(twice),
            coalesce(sum(twice) filter (where not may_be_twice), 0)
        from found
        cross join (select coalesce(sum(times), 0) as all_landed from attempts)
        cross join (select coalesce(sum(times), 0) as all_refused from dead_letters)
        """
    ).fetchone()
    assert row
    return Found(*map(int, row))


def salvaged_spools(home: Home) -> int:
    """How often a spool was taken for damaged, as one is that was killed amid a commit."""
    return len(list((home.path / "spool").glob("*.salvaged")))


def batch_files(home: Home, table: str) -> list[Path]:
    files = (home.bronze / table).glob("ingest_date=*/*.parquet")
    return [file for file in files if file.name != "schema.parquet"]


def schema_file(home: Home, table: str) -> Path:
    return next((home.bronze / table).glob("ingest_date=*/schema.parquet"))
