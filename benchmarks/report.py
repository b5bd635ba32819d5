"""Where the figures of a run go: a file in `results/`, and one table in docs/benchmarks.md."""

from __future__ import annotations

import json
import os
import platform
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from figures import Row, Spread, as_json, number

RESULTS = Path(__file__).with_name("results")
PAGE = Path(__file__).parent.parent / "docs" / "benchmarks.md"
SCALE = PAGE.with_name("scale.md")
# On demand; what it is where you are is in Google's price list: docs/scale.md.
USD_PER_TIB = float(os.environ.get("BENCH_USD_PER_TIB", "6.25"))
PACKAGES = ("duckdb", "dbt-core", "dbt-duckdb", "pyarrow")


@dataclass(frozen=True, slots=True)
class Run:
    """What is kept of a run, here or in a file of it."""

    facts: dict[str, Any]
    rows: list[dict[str, Any]]

    @property
    def name(self) -> str:
        return f"{self.facts['date']}, {self.facts['events']:,} events"


def facts_of(events: int, peers: dict[str, str]) -> dict[str, Any]:
    """When, on what and with what; not the name of the machine."""
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return {
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "events": events,
        "cores": os.cpu_count(),
        "memory_gib": round(pages / 2**30),
        "load_before": round(os.getloadavg()[0], 1),
        "python": platform.python_version(),
        **{name: version(name) for name in PACKAGES},
        **peers,
    }


def keep(run: Run, folder: Path = RESULTS) -> Path:
    """Write a run beside the others: `<date>-<n>.json`."""
    folder.mkdir(exist_ok=True)
    date = run.facts["date"]
    n = 1 + max((_order(file)[1] for file in folder.glob(f"{date}-*.json")), default=0)
    path = folder / f"{date}-{n}.json"
    # A line a row, so that two runs can be compared as text.
    rows = ",\n  ".join(json.dumps(row, ensure_ascii=False) for row in run.rows)
    path.write_text(
        f'{{"facts": {json.dumps(run.facts)},\n "rows": [\n  {rows}\n]}}\n', encoding="utf-8"
    )
    return path


def newest(most: int, folder: Path = RESULTS) -> list[Run]:
    """The runs that were kept last, the newest first."""
    files = sorted(folder.glob("*.json"), key=_order, reverse=True)[:most]
    kept = [json.loads(file.read_text(encoding="utf-8")) for file in files]
    return [Run(run["facts"], run["rows"]) for run in kept]


def table(run: Run, earlier: Sequence[Run]) -> str:
    """The table of a run, with the figures of earlier ones beside it."""
    known = [{_key(row): row for row in before.rows} for before in earlier]
    names = ["what", "measured", "figure", "beside", "goal", "met", *(r.name for r in earlier)]
    lines = [_told(run.facts), "", f"| {' | '.join(names)} |", "|---" * len(names) + "|"]
    section = ""
    for row in run.rows:
        if row["section"] != section:
            section = row["section"]
            lines.append(f"| **{section}** |{' |' * (len(names) - 1)}")
        met = {True: "yes", False: "**no**", None: ""}[row["is_met"]]
        cells = [
            row["what"],
            row["measured"],
            _figure(row),
            row["to"],
            row["goal"],
            met,
            *(_figure(rows[_key(row)]) if _key(row) in rows else "" for rows in known),
        ]
        lines.append(f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |")
    return "\n".join(lines)


def scanned(run: Run, section: str) -> str:
    """The bytes of one section alone, with the price of reading them, for a page of its own."""
    lines = [
        _told(run.facts),
        "",
        f"| what | of | bytes | USD to read it once, of 1,000 million events, P = {USD_PER_TIB} |",
        "|---|---|---|---|",
    ]
    for row in run.rows:
        if row["section"] == section:
            cost = number(price(1e9 * row["median"], USD_PER_TIB)) if row["median"] else ""
            lines.append(f"| {row['what']} | {row['measured']} | {_figure(row)} | {cost} |")
    return "\n".join(lines)


def price(size: float, usd_per_tib: float) -> float:
    """What a query of one table costs by the bytes that it reads: ten MiB at least."""
    return max(size, 10 * 2**20) / 2**40 * usd_per_tib


def between_markers(page: Path, name: str, text: str) -> None:
    """Put text between `<!-- name -->` and `<!-- /name -->` of a page, instead of what is there."""
    told = page.read_text(encoding="utf-8")
    begin, end = f"<!-- {name} -->", f"<!-- /{name} -->"
    if told.count(begin) != 1 or told.count(end) != 1 or told.index(begin) > told.index(end):
        raise ValueError(f"{page.name} needs one {begin} before one {end}")
    head, tail = told.split(begin)[0], told.split(end)[1]
    page.write_text(f"{head}{begin}\n{text}\n{end}{tail}", encoding="utf-8")


def _told(facts: dict[str, Any]) -> str:
    what = ("date", "events", "cores", "memory_gib", "load_before")
    versions = ", ".join(f"{name} {of}" for name, of in facts.items() if name not in what)
    return (
        f"{facts['date']}, `BENCH_EVENTS={facts['events']}`: {facts['cores']} cores, "
        f"{facts['memory_gib']} GiB of memory, load average {facts['load_before']} before it; "
        f"{versions}."
    )


def _figure(row: dict[str, Any]) -> str:
    if row["median"] is None:
        return ""
    spread = Spread(row["median"], row["low"], row["high"], row["tries"])
    return f"{spread} {row['unit']}".strip()


def _key(row: dict[str, Any]) -> tuple[str, str, str]:
    """What a row is about; sizes in its words are those of its run."""
    return row["section"], re.sub(r"[\d,.]+", "", row["what"]), row["to"]


def _order(file: Path) -> tuple[str, int]:
    date, _, n = file.stem.rpartition("-")
    return date, int(n)


def rows_of(section: str, rows: list[Row]) -> list[dict[str, Any]]:
    return [{"section": section, **as_json(row)} for row in rows]
