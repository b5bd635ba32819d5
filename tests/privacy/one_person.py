"""A tiny home in which one person is everywhere that a person can be."""

from __future__ import annotations

import base64
import hmac
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
from byte_search import Needles, as_text, search
from conftest import MODELS_ONLY, run_dbt
from test_pseudonyms import vault_key

from loaders import vault
from loaders.collector.frames import Event, Origin, encode
from loaders.collector.store import add_frames, add_stream, key_of, live_folder, open_store
from loaders.gold.publish import publish
from loaders.home import Home, init_home
from loaders.landing.batches import land_file

EMAIL, USER = "jane.planted@example.org", "member-0014"
DAY = (datetime.now(UTC) - timedelta(days=40)).replace(hour=12)
OTHERS = 14  # with the planted one, k people and some
MODELS = (
    *("+attempts_daily", "+contribution_stats", "+user_activity", "+top_contributors"),
    "+loss_ledger",
)
DOMAINS = {
    EMAIL: ("access.email",),
    USER: ("access.user_id", "engagement.user_id"),
}


def make(folder: Path) -> Home:
    """Landed, built, rotated, built again and published; something waits in the spool."""
    home = init_home(folder)[0]
    land(home, "attempts", attempts())
    land(home, "platform_events", events())
    vault.add_key(home.vault, "eu")
    build(home)
    publish(home)
    wait_in_spool(home)
    exports = home.path / "exports"
    exports.mkdir()
    (exports / "people.csv").write_text(f"email\n{EMAIL}\n{USER}\n", encoding="utf-8")
    (exports / "old.bin").write_bytes(
        EMAIL.encode("utf-16") + b"\n" + base64.b64encode(USER.encode())
    )
    return home


def build(home: Home) -> None:
    run_dbt(home, "build", "--select", *MODELS, *MODELS_ONLY)


def attempts() -> list[dict[str, Any]]:
    """The planted one by e-mail; also within a text of somebody else, and in what was refused."""
    plain = {"timestamp": DAY.isoformat(), "action": "login", "status": "success", "geo": "DE"}
    people = [f"person{n}@example.org" for n in range(OTHERS)]
    found = [
        plain | {"event_id": f"attempt-{n}", "email": email, "domain": "a.example"}
        for n, email in enumerate([*people, EMAIL, f" {EMAIL.title()} "])
    ]
    found.append(found[OTHERS])  # once more, an exact duplicate
    found.append(plain | {"event_id": "attempt-text", "query": f"to={EMAIL.replace('@', '%40')}"})
    found.append(plain | {"event_id": "attempt-bad", "email": EMAIL, "timestamp": "yesterday"})
    found.append(plain | {"event_id": "attempt-like", "email": f"m{EMAIL[2:]}"})
    return found


def events() -> list[dict[str, Any]]:
    """Each member earns points, and comes to do so."""
    types = {
        "contribution.recorded": lambda n: {"category": "code", "points": 10 + n},
        "account.login": lambda _: {},
    }
    return [
        {
            "event_id": f"{event_type}-{n}",
            "event_type": event_type,
            "occurred_at": DAY.isoformat(),
            "user_id": f"member-{n:04}",
            "payload": payload(n),
        }
        for event_type, payload in types.items()
        for n in range(OTHERS + 1)
    ]


def land(home: Home, table: str, rows: list[dict[str, Any]]) -> None:
    file = home.path.parent / f"{table}-{len(rows)}.jsonl"
    file.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    land_file(home, table, file)


def wait_in_spool(home: Home) -> None:
    """Two records that a collector took before it ended: the planted one's, and another."""
    connection = open_store(live_folder(home.path / "spool"))
    stream = add_stream(connection, "attempts", "web")
    origin = Origin("attempts", "web", "t", DAY.isoformat(), "ab" * 16).encoded()
    waiting = [replace(Event(None), raw=json.dumps(row).encode()) for row in attempts()[-7:-5]]
    frames = [encode(n, origin, event) for n, event in enumerate(waiting, 1)]
    add_frames(connection, [(key_of(stream.number, n), f) for n, f in enumerate(frames, 1)])
    connection.close()


def needles(home: Home) -> Needles:
    """The raw values in every encoding, and their pseudonyms under all keys by Python's hmac."""
    found: dict[bytes, str] = {}
    keys = [vault_key(home, version) for version in (1, 2)]
    for value, domains in DOMAINS.items():
        for text in (value, value.title(), value.replace("@", "%40")):
            found |= {text.encode(form): f"{value}, {form}" for form in ("utf-8", "utf-16-le")}
        found[value.encode().hex().encode()] = f"{value}, hex"
        found[base64.b64encode(value.encode())[:-2]] = f"{value}, base64"
        for domain in domains:
            message = f"{domain}\x1f{value}"
            for version, key in enumerate(keys, 1):
                digest = hmac.new(key, message.encode(), "sha256").hexdigest()
                message = f"v{version}:{digest}"
                found[message.encode()] = f"{value}, {domain} v{version}"
                inner = f"restricted.top_contributors\x1f{message}"
                for number, other in enumerate(keys, 1):
                    inner = f"v{number}:" + hmac.new(other, inner.encode(), "sha256").hexdigest()
                    found[inner.encode()] = f"{value}, restricted v{number}"
    return Needles(found)


def places(home: Home) -> set[str]:
    """Where the planted one is found: the first two parts of a path, or a table."""
    known = needles(home)
    found = {
        "/".join(Path(file).relative_to(home.path).parts[:2]) for file in search(known, [home.path])
    }
    with duckdb.connect(str(home.warehouse), read_only=True) as warehouse:
        tables = warehouse.execute(
            "select schema_name || '.' || table_name from duckdb_tables()"
        ).fetchall()
        for (table,) in tables:
            if known.names_in(as_text(warehouse.sql(f"from {table}"))):
                found.add(table)
    return found
