"""Refreshing gold against plain DuckDB: what dbt adds to the statements, at first and by the hour.

    python benchmarks/refreshing.py [EVENTS [NEW]]

Lands EVENTS events of the challenge platform and times the first `assay refresh`, which builds
everything. Then three times: lands NEW more, one in twenty of them up to a week late, and refreshes
`hourly` in a process that keeps dbt warm, as `assay refresh --every` does. The plain side is what
the first build compiled, models and tests, run one after the other in one connection to an empty
file, over the bronze that the first build read, without dbt. What is SQL and what is dbt's own:
builds.py.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
from builds import plain, refreshed

from loaders.demo.engagement import DAYS, happenings
from loaders.gold.dbt_run import new_process
from loaders.gold.warm import WarmDbt
from loaders.home import connect, init_home, quote
from loaders.landing.batches import land_file

BATCHES, ROUNDS = 10, 3
LATE_SHARE, LATE_DAYS = 0.05, 7
MOST_MADE = 250_000  # of `happenings`; beyond them people do the same again under other names


def main(events: int = 5_000_000, new: int = 100_000) -> None:
    """Measure, and print."""
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder)
        print(f"making {events:,} events, and {ROUNDS} times {new:,}", flush=True)
        firsts, later = _make(base, events, new)
        home, _ = init_home(base / "home")
        began = time.monotonic()
        for file in firsts:
            land_file(home, "platform_events", file)
        print(f"{BATCHES} batches landed in {time.monotonic() - began:.1f} s", flush=True)
        os.environ["DBT_TARGET_PATH"] = str(base / "target")
        os.environ["DBT_LOG_FILE_MAX_BYTES"] = "0"  # one log, however long
        os.environ["DBT_LOG_PATH"] = str(base / "log")
        warm = WarmDbt(home)
        first = refreshed(home, None, new_process, base / "log-first")
        print(f"first refresh: {first}", flush=True)
        models, tests = plain(home, base / "target", base / "plain")
        print(f"plain DuckDB: models {models:.1f} s, tests {tests:.1f} s", flush=True)
        rounds = []
        for number, file in enumerate(later, 1):
            land_file(home, "platform_events", file)
            rounds.append(refreshed(home, "hourly", warm, base / f"log-{number}"))
            print(f"hourly, {new:,} new: {rounds[-1]}", flush=True)
    by_hand = models + tests
    median = statistics.median(split.build for split in rounds)
    print(
        f"first build: {first.build / by_hand:.2f} of plain DuckDB, its SQL "
        f"{first.sql / by_hand:.2f}\n"
        f"hourly build: {median / first.build:.2f} of the first, {median / by_hand:.2f} of plain "
        "DuckDB that builds everything anew"
    )


def _make(base: Path, events: int, new: int) -> tuple[list[Path], list[Path]]:
    """Files of what is there at first, and of what each round brings: the newest, and late ones."""
    end = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    total, in_time = events + ROUNDS * new, round(ROUNDS * new * (1 - LATE_SHARE))
    first = total - in_time  # the place of the newest that is there at first
    made = happenings(np.random.default_rng(7), min(total, MOST_MADE), end - timedelta(days=DAYS))
    times, users, types, payloads = zip(*(row for row in made if row[0] < end), strict=True)
    rows = pa.table(
        {
            "occurred_at": times,
            "user_id": users,
            "event_type": types,
            "payload": map(json.dumps, payloads),
        }
    )
    with connect() as connection:
        connection.register("made", rows)
        # Cut between people, not days: what one does stays whole.
        connection.execute(
            f"""
            create table sent as
            select *, row_number() over (order by occurred_at, event_id) as place
            from (
                select
                    copy || '-' || number as event_id,
                    occurred_at,
                    user_id || '-' || copy as user_id,
                    event_type,
                    regexp_replace(
                        payload, '"(entry|message|burst)-', '"\\1-' || copy || '-', 'g'
                    ) as payload
                from (select *, row_number() over () as number from made)
                cross join range({total // rows.num_rows + 1}) as copies (copy)
                order by copy, user_id, number
                limit {total}
            );
            create table late as
            select event_id, row_number() over (order by hash(event_id)) % {ROUNDS} as round
            from sent
            where
                place <= {first}
                and occurred_at >= (
                    select occurred_at - interval {LATE_DAYS} days from sent where place = {first}
                )
            qualify row_number() over (order by hash(event_id)) <= {total - events - in_time};
            create table files as
            select
                sent.*,
                case
                    when late.round is not null then 'new-' || late.round
                    when place > {first}
                        then 'new-' || (place - {first} - 1) * {ROUNDS} // {in_time}
                    else 'first-' || (place - 1) * {BATCHES} // {first}
                end as file
            from sent
            left join late on sent.event_id = late.event_id
            """
        )
        for (name,) in connection.sql("select distinct file from files").fetchall():
            connection.execute(
                f"""
                copy (
                    select
                        event_id,
                        event_type,
                        strftime(occurred_at, '%Y-%m-%dT%H:%M:%SZ') as occurred_at,
                        user_id,
                        cast(payload as json) as payload
                    from files
                    where file = {quote(name)}
                    order by place
                ) to {quote(str(base / name))} (format json)
                """
            )
    return sorted(base.glob("first-*")), sorted(base.glob("new-*"))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
