"""A reader in a process of its own: polls published gold until a file says stop.

    python poll.py PUBLISHED_FILE STOP_FILE kept|fresh

`kept` keeps its connection open, `fresh` opens one for each poll. The newest build that it saw is
in a file beside STOP_FILE, named by the process. Prints one JSON object: how often it polled, the
builds it saw, and everything that went wrong. Runs in any DuckDB from 1.4 on.
"""

import json
import os
import sys
import time
from pathlib import Path

import duckdb

# Every published row carries the number of its build in `attempts`.
ONE_MART = "select min(attempts), max(attempts), count(*) from gold.{}"
MARTS = ("attempts_hourly", "attempts_daily")


def main(published: str, stop: Path, mode: str) -> None:
    """Poll, and report."""
    seen: list[int] = []
    wrong: list[str] = []
    polls = mixed = 0
    note = stop.with_name(f"seen-{os.getpid()}")
    connection = duckdb.connect(published, read_only=True)
    stopped = False
    while not stopped:  # so it polls once at least
        stopped = stop.exists()
        time.sleep(0.01)  # or four of these leave no processor for who publishes
        if mode == "fresh":
            connection.close()
            connection = duckdb.connect(published, read_only=True)
        try:
            rows = [connection.execute(ONE_MART.format(mart)).fetchone() for mart in MARTS]
            joined = connection.execute(
                "select (select max(attempts) from gold.attempts_hourly), "
                "(select max(attempts) from gold.attempts_daily)"
            ).fetchone()
        except duckdb.Error as error:
            wrong.append(type(error).__name__ + ": " + str(error)[:200])
            continue
        polls += 1
        mixed += joined[0] != joined[1]
        for mart, (least, most, count) in zip(MARTS, rows):  # noqa: B905 - Python of any reader
            if least != most or count != most * 100:
                wrong.append(f"half a release of {mart}: {least} to {most}, {count} rows")
        if seen and rows[0][1] < seen[-1]:
            wrong.append(f"back from build {seen[-1]} to {rows[0][1]}")
        if not seen or rows[0][1] != seen[-1]:
            seen.append(rows[0][1])
            note.write_text(str(seen[-1]))
    facts = {"duckdb": duckdb.__version__, "polls": polls, "seen": seen, "wrong": wrong}
    print(json.dumps({**facts, "queries_across_two_releases": mixed}))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), sys.argv[3])
