"""Records landed as events by a mapping that fills their payload, and what came of them."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

from landed import bronze_rows

from loaders.home import Home
from loaders.landing.batches import LandingResult, land_file

Row = dict[str, Any]

DEPOSITS = """
rename: {who: user_id, day: occurred_at}
constants: {event_type: wallet.credit}
payload:
  amount_minor: {amount: value, exponent: %d}
  currency: {constant: USD}
  reference_id: reference
event_id_from: all
"""
CENTS = DEPOSITS % 2
BOUGHT: Row = {"who": "u1", "day": "1997-01-12"}
NO_AMOUNT = ("schema_violation", "/payload/amount_minor")


def land(home: Home, mapping: str, *rows: Row) -> LandingResult:
    """Land records with a mapping, as JSON lines."""
    return _land(home, mapping, "".join(json.dumps(row) + "\n" for row in rows))


def land_csv(home: Home, mapping: str, *rows: Row) -> LandingResult:
    """The same as CSV, where every value is a text."""
    text = io.StringIO()
    writer = csv.DictWriter(text, rows[0])
    writer.writeheader()
    writer.writerows(rows)
    return _land(home, mapping, text.getvalue())


def _land(home: Home, mapping: str, text: str) -> LandingResult:
    folder = home.path.parent
    (folder / "mapping.yml").write_text(mapping, encoding="utf-8")
    (folder / "sent").write_text(text, encoding="utf-8")
    return land_file(home, "platform_events", folder / "sent", folder / "mapping.yml")


def payloads(home: Home) -> list[Row]:
    return [json.loads(row["payload"]) for row in bronze_rows(home, "platform_events")]


def refusals(home: Home) -> list[tuple[str, str | None]]:
    return [(row["code"], row["pointer"]) for row in bronze_rows(home, "dead_letters")]
