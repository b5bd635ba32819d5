"""Giving a report out: in a format, in the audit log, then to where it is wanted."""

from __future__ import annotations

import contextlib
import secrets
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path

from loaders import audit
from loaders.audit.rights import refuse_denied
from loaders.durable import durable_file, durable_rename
from loaders.home import Home
from loaders.reports.asked import Asked
from loaders.reports.declared import Report
from loaders.reports.errors import DENIED, NOT_FOUND, NOT_MADE, ReportError
from loaders.reports.figures import Made, make
from loaders.reports.files import as_csv, as_json, as_parquet
from loaders.reports.page import page

FORMATS = ("json", "csv", "parquet", "html")
_ONE_TABLE = ("csv", "parquet")


@dataclass(frozen=True, slots=True)
class Export:
    """What was given out: where to, how much, of which release, and its entry in the audit log."""

    report: str
    format: str
    output: str
    tables: list[str]
    rows: int
    bytes: int
    release_id: str
    audit_id: str


def export(
    home: Home,
    report: Report,
    asked: Asked,
    kind: str = "json",
    output: Path | None = None,
    table: str | None = None,
) -> Export:
    """Make a report and write it to a file, or to standard output where none is named.

    CSV and Parquet have one table: the one named, or the only one that there is. The entry of the
    audit log is durable before a byte is given out. Raises ReportError, or PermissionDenied.
    """
    refuse_denied(home, "export")
    begun = time.monotonic()
    made = _narrowed(make(home, report, asked), kind, table)
    content = _content(made, kind)
    rows = sum(figures.rows.num_rows for figures in made.tables)
    names = [figures.table.name for figures in made.tables]
    where = output.name if output else "standard output"
    entry = audit.append(
        home,
        "export",
        query_params={
            "report": report.name,
            "tables": names,
            "period": [figures.period for figures in made.tables],
            "from": [str(figures.first) for figures in made.tables],
            "to": [str(figures.last) for figures in made.tables],
            "where": dict(asked.where),
            **({"partner": asked.partner} if asked.partner else {}),
        },
        export_format=kind,
        export_size=rows,
        result_summary={
            "record_count": rows,
            "duration_ms": round(1000 * (time.monotonic() - begun)),
            "bytes": len(content),
        },
        lineage={
            "data_source": f"release {made.release_id}",
            "transformations": [f"gold.{figures.table.mart}" for figures in made.tables],
            "output": where,
        },
    )
    give(content, output)
    return Export(report.name, kind, where, names, rows, len(content), made.release_id, entry["id"])


def _narrowed(made: Made, kind: str, table: str | None) -> Made:
    """The report with the tables that are wanted, and that the format can have."""
    there = {figures.table.name: figures for figures in made.tables}
    if table is not None and table not in there:
        raise ReportError(NOT_FOUND, f"no such table. There are: {', '.join(there)}.")
    if table is None and kind in _ONE_TABLE and len(there) > 1:
        raise ReportError(
            NOT_MADE,
            f"{kind} has one table, and {made.report.name} has {', '.join(there)}. "
            "Name one: --table NAME",
        )
    return replace(made, tables=(there[table],)) if table else made


def _content(made: Made, kind: str) -> bytes:
    if kind == "html":
        return page(made)
    if kind == "csv":
        return as_csv(made)
    return as_parquet(made) if kind == "parquet" else as_json(made)


def give(content: bytes, output: Path | None) -> None:
    """Write a file, whole or not at all, or to standard output. Raises ReportError."""
    if output is None:
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()
        return
    aside = output.with_name(f"{output.name}.{secrets.token_hex(4)}.new")
    try:
        with durable_file(aside) as file:
            file.write(content)
        durable_rename(aside, output)
    except PermissionError:
        raise ReportError(
            DENIED, f"you may not write {output}. Name another file as --output."
        ) from None
    except OSError as error:
        raise ReportError(
            NOT_MADE,
            f"{output} could not be written ({type(error).__name__}). "
            "Make room, or name another file as --output.",
        ) from None
    finally:
        with contextlib.suppress(OSError):  # what may not be reached was not written either
            aside.unlink(missing_ok=True)
