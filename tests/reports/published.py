"""A home in which nothing but published gold is there, of made-up figures, for tests of reports."""

from __future__ import annotations

import json
import os
import random
import secrets
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from made_up import PARTNER, made_up

from loaders.contracts import ARROW_TYPES
from loaders.gold.marts import columns_of
from loaders.home import Home, init_home
from loaders.reports.declared import read_reports

PUBLISHED_AT = datetime(2026, 6, 1, 4, 5, 6, tzinfo=UTC)
FIRST, DAYS = date(2026, 3, 2), 90  # a Monday
MISSING = date(2026, 5, 20)  # a day that is withheld everywhere
LONG = "a-very-long-subdomain.of-a-mail-provider-with-a-long-name.example"
TYPOS = {
    "gmul.com": "gmail.com",
    "gmial.com": "gmail.com",
    "yahooo.com": "yahoo.com",
    "<b>&amp.com": "web.de",
    LONG: "web.de",
    "=1+1.com": "ambiguous",
}

Rows = list[dict[str, Any]]


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """The home, for tests that leave what is published as it is."""
    seed = int(os.environ.get("ASSAY_SEED") or secrets.randbelow(2**32))
    print(f"ASSAY_SEED={seed}")
    return publish_made_up(tmp_path_factory.mktemp("published") / "home", random.Random(seed))


def publish_made_up(folder: Path, dice: random.Random) -> Home:
    """A home whose release has every mart that a report shows: some by hand, the others made up."""
    home = init_home(folder)[0]
    days = [FIRST + timedelta(days=n) for n in range(DAYS)]
    shown = [day for day in days if day != MISSING]
    release = {
        "attempts_daily": [row for day in shown for row in _attempts(day, dice)],
        "response_times_daily": [row for day in shown for row in _response_times(day, dice)],
        "registration_funnel_daily": [row for day in shown for row in _funnel(day, dice)],
        "email_domain_typos_weekly": [
            row for day in days if day.weekday() == 0 for row in _typos(day, dice)
        ],
    }
    tables = [table for report in read_reports() for table in report.tables]
    for mart in sorted({table.mart for table in tables} - release.keys()):
        release[mart] = made_up([table for table in tables if table.mart == mart], shown, dice)
    of_partners = {t.mart for r in read_reports() if r.is_for_partners for t in r.tables}
    write_release(home, {m: rows for m, rows in release.items() if m not in of_partners})
    write_release(home, {mart: release[mart] for mart in of_partners}, "p1", PARTNER)
    return home


def folder_of(home: Home, partner: str | None) -> Path:
    """What is published for a partner, or for everybody here."""
    return home.published if partner is None else home.partners / partner


def write_release(
    home: Home, marts: dict[str, Rows], name: str = "r1", partner: str | None = None
) -> None:
    """Publish rows as a release: the columns and types are those of the marts' contracts."""
    published = folder_of(home, partner)
    release = published / "releases" / "shape" / name
    release.mkdir(parents=True)
    for mart, rows in marts.items():
        schema = pa.schema(
            [
                (
                    c.name,
                    pa.timestamp("us") if c.data_type == "timestamp" else ARROW_TYPES[c.data_type],
                )
                for c in columns_of(mart).values()
            ]
        )
        dated = [{"updated_at": PUBLISHED_AT.replace(tzinfo=None)} | row for row in rows]
        pq.write_table(pa.Table.from_pylist(dated, schema=schema), release / f"{mart}.parquet")
    told = {"release_id": name, "published_at": PUBLISHED_AT.isoformat()}
    (release / "release.json").write_text(json.dumps(told), encoding="utf-8")
    current = published / "current"
    current.unlink(missing_ok=True)
    current.symlink_to(release.relative_to(published))


def rows_of(home: Home, mart: str, partner: str | None = None) -> Rows:
    """The rows of a published mart, read without Assay."""
    file = folder_of(home, partner) / "current" / f"{mart}.parquet"
    return list(pq.ParquetFile(file).read().to_pylist())


def _attempts(day: date, dice: random.Random) -> Rows:
    return [
        {
            "period_start": day,
            "domain": domain,
            "action": action,
            "status": status,
            "error_code": "none" if status != "error" else "email_taken",
            "country": country,
            "attempts": attempts,
            "errors": attempts if status == "error" else 0,
            "subjects": 10,
        }
        for domain in ("play.example", "promo.example")
        for action in ("login", "signup")
        for status in ("success", "error", "test")
        for country in ("DE", "JP", "Other")
        for attempts in [dice.randint(10, 2_000)]
    ]


def _response_times(day: date, dice: random.Random) -> Rows:
    return [
        {
            "period_start": day,
            "country": country,
            "action": action,
            "attempts": dice.randint(10, 900),
            "p50_ms": p50 if dice.random() > 0.1 else None,
            "p95_ms": 2 * p50,
            "p99_ms": None,
        }
        for action in ("login", "signup", "validate")
        for country in ("BR", "DE", "ES", "FR", "JP", "Other", "unknown")
        for p50 in [dice.randint(90, 700)]
    ]


def _funnel(day: date, dice: random.Random) -> Rows:
    rows = []
    for domain in ("play.example", "play-mirror.example", "promo.example"):
        visitors = dice.randint(200, 5_000)
        rows.append(
            {
                "period_start": day,
                "domain": domain,
                "domain_kind": "landing" if domain == "promo.example" else "product",
                "attempts": 3 * visitors,
                "visitors": visitors,
                "validations": visitors // 2,
                "submitted": visitors // 4,
                "registered": visitors // 5 if dice.random() > 0.1 else None,
                "registration_rate": dice.uniform(0.7, 0.95),
                "visitor_registration_rate": 0.2,
            }
        )
    return rows


def _typos(day: date, dice: random.Random) -> Rows:
    return [
        {
            "period_start": day,
            "typed_domain": typed,
            "suggested_domain": suggested,
            "typo_kind": "typo",
            "attempts": dice.randint(10, 400),
            "subjects": dice.randint(10, 40),
        }
        for typed, suggested in TYPOS.items()
    ]
