"""What a person wants to know first: does it run, how old is what readers see, what needs care."""

from __future__ import annotations

import sqlite3
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from loaders import vault
from loaders.books import read_books
from loaders.checks import last_results
from loaders.collector.backlog import Backlog, read_backlog
from loaders.compaction.plan import MANY, small_files
from loaders.errors import AssayError
from loaders.gold.publish import current_release
from loaders.gold.warehouse import reading
from loaders.home import Home, build_command
from loaders.landing.replay import waiting
from loaders.vault.rotation import key_of_silver


def read_status(home: Home) -> dict[str, Any]:
    """Facts of a home. `attention` lists, in words, what a person should look at."""
    key, attention = _key(home)
    batches, note = read_books(home)
    attention += [
        f"Batch {b.batch_id}: {b.problem}. Run: assay ledger" for b in batches if b.problem
    ]
    attention += [note] if note else []
    unread = sum(1 for b in batches if b.accepted and b.silver is None)
    if unread and not (home.bigquery and note):  # who may not see silver cannot say
        attention.append(f"{unread} batches are not built yet. Run: {build_command(home)}")
    build = _last_build(home)
    if build and not build["is_green"]:
        attention.append(
            f"{build['failed_nodes']} nodes of the last build failed. See logs/dbt.log"
        )
    release = None if home.bigquery else current_release(home)
    age = None
    if release:
        age = round(
            (datetime.now(UTC) - datetime.fromisoformat(release.published_at)).total_seconds()
        )
        if build and build["build_id"] != release.build_id:
            attention.append("The last build is not published. Run: assay publish")
    elif not home.bigquery:
        attention.append("Nothing is published yet. Run: assay refresh")
    checks = {} if home.bigquery else last_results(home)
    unmet = sorted(place for place, (_, failed) in checks.items() if failed)
    if unmet:
        attention.append(
            f"{len(unmet)} batches are not as their contract says: "
            f"{', '.join(f'{table} {batch}' for table, batch in unmet[:3])}. Run: assay check"
        )
    spool, trouble = _spool(home)
    attention += trouble
    small = 0 if home.bigquery else small_files(home)
    if small >= MANY:
        attention.append(f"{small} small files of bronze slow every reader. Run: assay compact")
    codes = waiting(home)
    if codes:
        counts = ", ".join(f"{code} {count}" for code, count in codes.items())
        attention.append(
            f"{sum(codes.values())} records wait in the dead letters: {counts}. "
            "Run, once mended: assay replay"
        )
    return {
        "home": str(home.path),
        "residency": home.residency,
        "bigquery": asdict(home.bigquery) if home.bigquery else None,
        "key": key,
        "batches": len(batches),
        "last_batch": batches[-1].batch_id if batches else None,
        "last_build": build,
        "last_check": max((at for at, _ in checks.values()), default=None),
        "release_id": release.release_id if release else None,
        "published_age_seconds": age,
        "spool": asdict(spool) if spool else None,
        "small_files": small,
        "attention": attention,
    }


def _spool(home: Home) -> tuple[Backlog | None, list[str]]:
    """What the collector has not landed yet, and what is wrong with it."""
    try:
        spool = read_backlog(home.path / "spool")
    except sqlite3.Error as error:
        return None, [
            f"The spool cannot be read ({type(error).__name__}). Run: assay collect, which mends it"
        ]
    damaged = spool and spool.damaged + spool.damaged_spools
    said = f"{damaged} records or files of the spool were damaged. See dead letters, buffer_corrupt"
    return spool, [said] if damaged else []


def _key(home: Home) -> tuple[str | None, list[str]]:
    """The live key, and what is wrong with the keys."""
    if home.bigquery and not home.vault.exists():
        return None, []  # a home that only lands
    try:
        keys = vault.keys(home.vault)
    except AssayError as error:
        return None, [str(error)]
    live = [key for key in keys if key.retired_at is None]
    several = f"The vault has {len(live)} live keys, not one. Run: assay vault status"
    trouble = [several] if len(live) != 1 else []
    return f"version {live[0].version}" if live else None, trouble + _key_trouble(home, keys)


def _key_trouble(home: Home, keys: list[vault.KeyInfo]) -> list[str]:
    """What a build would say or do about silver's pseudonyms before its first model."""
    try:
        made_with = key_of_silver(home)[1]
    except AssayError:  # a build runs, and the books say so
        return []
    if made_with is None or made_with in {key.key_id for key in keys if key.retired_at is None}:
        return []
    if made_with in {key.key_id for key in keys}:
        return [f"Silver is not carried over to the live key yet. Run: {build_command(home)}"]
    return [
        "The vault does not hold the key that silver was made with. Run: assay vault restore FILE"
    ]


def lines(facts: dict[str, Any]) -> list[str]:
    """The facts as a person reads them."""
    build = facts["last_build"]
    built = (
        "none"
        if not build
        else f"{build['started_at']:%Y-%m-%d %H:%M} UTC, "
        + ("green" if build["is_green"] else f"{build['failed_nodes']} nodes failed")
    )
    checked, age = facts["last_check"], facts["published_age_seconds"]
    target = facts["bigquery"]
    published = (
        f"dataset {target['dataset']}_gold, as built"
        if target
        else (facts["release_id"] or "nothing") + (f", {age} s ago" if age is not None else "")
    )
    return [
        f"home        {facts['home']} ({facts['residency']})",
        *([f"lands in    {_described(target)}"] if target else []),
        f"key         {facts['key'] or 'none'}",
        f"batches     {facts['batches']}, last {facts['last_batch'] or 'none'}",
        f"last build  {built}",
        f"last check  {f'{checked:%Y-%m-%d %H:%M} UTC' if checked else 'none'}",
        f"published   {published}",
        *([_spool_line(facts["spool"])] if facts["spool"] else []),
        *([f"bronze      {facts['small_files']} small files"] if facts["small_files"] else []),
        *(f"attention   {what}" for what in facts["attention"]),
    ]


def _spool_line(spool: dict[str, Any]) -> str:
    since = f", the oldest since {spool['oldest'][:19]} UTC" if spool["oldest"] else ""
    return f"spool       {spool['records']} records wait to land, {spool['bytes']} bytes{since}"


def _last_build(home: Home) -> dict[str, Any] | None:
    try:
        with reading(home) as warehouse:
            if "main.last_build" not in warehouse.tables():
                return None
            builds = warehouse.query(
                "select build_id, started_at, is_green, failed_nodes from main.last_build"
            ).to_pylist()
    except AssayError:
        return None
    return dict(builds[0]) if builds else None


def _described(target: dict[str, Any]) -> str:
    return f"BigQuery {target['project']}.{target['dataset']}_bronze, {target['location']}"
