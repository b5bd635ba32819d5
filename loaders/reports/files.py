"""A report as data: the same rows in JSON, CSV and Parquet, with times in UTC by ISO 8601."""

from __future__ import annotations

import csv
import io
import json
import re
from datetime import UTC, date, datetime
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from loaders.reports.figures import Figures, Made

# What makes a spreadsheet compute a cell. It may stand at the beginning of a text, or after what
# some spreadsheet takes for the end of the cell before it.
_COMPUTED = re.compile(r"(^|[,;|\t\r\n])([\s\"']*)(?=[=+\-@\uff1d\uff0b\uff0d\uff20])")


def as_json(made: Made) -> bytes:
    """The report as one JSON object."""
    document = {
        "report": made.report.name,
        "title": made.report.title,
        "text": made.report.text,
        "release_id": made.release_id,
        "published_at": _iso(made.published_at),
        "generated_at": _iso(made.generated_at),
        "where": dict(made.asked.where),
        **_partner(made),
        "left_out": list(made.left_out),
        "tables": [_table(figures) for figures in made.tables],
    }
    return (json.dumps(document, ensure_ascii=False, indent=1) + "\n").encode()


def as_csv(made: Made) -> bytes:
    """The one table as CSV by RFC 4180, in UTF-8, whose texts no spreadsheet computes."""
    (figures,) = made.tables
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(column.name for column in figures.columns)
    for row in figures.rows.to_pylist():
        writer.writerow(_cell(value) for value in row.values())
    return text.getvalue().encode()


def as_parquet(made: Made) -> bytes:
    """The one table as Parquet; what it is of is in the metadata of the file."""
    (figures,) = made.tables
    told = {
        "report": made.report.name,
        "table": figures.table.name,
        "period": figures.period,
        "release_id": made.release_id,
        "generated_at": _iso(made.generated_at),
        **_partner(made),
    }
    sink = pa.BufferOutputStream()
    pq.write_table(figures.rows.replace_schema_metadata(told), sink, compression="zstd")
    return bytes(sink.getvalue())


def _partner(made: Made) -> dict[str, str]:
    """Whose report it is, where it is of one partner."""
    return {"partner": made.asked.partner} if made.asked.partner else {}


def _table(figures: Figures) -> dict[str, Any]:
    return {
        "name": figures.table.name,
        "title": figures.table.title,
        "mart": figures.table.mart,
        "period": figures.period,
        "first_day": figures.first.isoformat() if figures.first else None,
        "last_day": figures.last.isoformat() if figures.last else None,
        "columns": [
            {
                "name": column.name,
                "title": column.title,
                "type": column.data_type,
                "unit": column.unit,
                "description": column.description,
            }
            for column in figures.columns
        ],
        "rows": [
            {name: _plain(value) for name, value in row.items()} for row in figures.rows.to_pylist()
        ],
        "withheld": figures.withheld,
    }


def _plain(value: Any) -> Any:
    return _iso(value) if isinstance(value, date) else value


def _cell(value: Any) -> Any:
    if isinstance(value, str):
        return _COMPUTED.sub(r"\1\2'", value)
    if isinstance(value, bool):
        return str(value).lower()
    return _plain(value)


def _iso(moment: date) -> str:
    if isinstance(moment, datetime):
        return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
    return moment.isoformat()
