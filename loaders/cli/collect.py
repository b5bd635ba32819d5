"""The collector, and who may send to it."""

from __future__ import annotations

import ssl
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from loaders.cli.common import FILE, everywhere, say
from loaders.collector import tokens
from loaders.compaction.plan import MANY
from loaders.contracts import load_contracts
from loaders.errors import AssayError
from loaders.home import Home, open_home
from loaders.residencies import residency_by_region


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port", default=8080, show_default=True, type=click.IntRange(0, 65535), help="0: any."
)
@click.option(
    "--max-spool-mb", default=8192, show_default=True, type=click.IntRange(1), help="What may wait."
)
@click.option(
    "--compact-at",
    default=MANY,
    show_default=True,
    type=click.IntRange(0),
    help="Merge small files of bronze once there are so many. 0: never.",
)
@click.option("--ssl-certfile", type=FILE, help="Certificate; TLS is on where there is one.")
@click.option("--ssl-keyfile", type=FILE, help="Its key.")
@click.option("--ssl-ca-certs", type=FILE, help="Whose certificates clients must show (mTLS).")
@everywhere
def collect(  # noqa: PLR0913, PLR0917 - one argument per option
    host: str,
    port: int,
    max_spool_mb: int,
    compact_at: int,
    ssl_certfile: Path | None,
    ssl_keyfile: Path | None,
    ssl_ca_certs: Path | None,
    home: Path | None,
    as_json: bool,
) -> None:
    """Take events over HTTP, until told to end.

    What is answered with 202 is durable in the home, and lands from there.
    """
    opened = open_home(home)
    if (ssl_keyfile or ssl_ca_certs) and not ssl_certfile:
        raise click.UsageError("--ssl-keyfile and --ssl-ca-certs need --ssl-certfile.")
    try:
        from loaders.collector.serve import Options, serve  # noqa: PLC0415 - only who collects
    except ImportError:
        raise AssayError(
            "Collecting needs libraries that are not installed. "
            "Run: pip install 'assay-lakehouse[collect]'"
        ) from None
    tls: dict[str, Any] = {}
    if ssl_certfile:
        tls = {"ssl_certfile": ssl_certfile, "ssl_keyfile": ssl_keyfile}
    if ssl_ca_certs:
        tls |= {"ssl_ca_certs": str(ssl_ca_certs), "ssl_cert_reqs": ssl.CERT_REQUIRED}
    left = serve(opened, Options(host, port, max_spool_mb << 20, compact_at, tls))
    say(as_json, {"backlog_records": left}, [f"Ended. {left} records wait to land."])


@click.group("token")
def token_group() -> None:
    """Who may send events to the collector."""


@token_group.command("add")
@click.argument("source")
@click.option("--table", "tables", multiple=True, help="Only to this table. Several are allowed.")
@click.option("--tenant", help="Events of another tenant are refused.")
@click.option("--region", "regions", multiple=True, help="Only of this region. Several likewise.")
@click.option("--rate", type=click.FloatRange(0), default=0, help="Events per second. 0: any.")
@click.option("--quota", type=click.IntRange(0), default=0, help="Events per day. 0: any.")
@everywhere
def add(
    source: str,
    tables: tuple[str, ...],
    tenant: str | None,
    regions: tuple[str, ...],
    rate: float,
    quota: int,
    home: Path | None,
    as_json: bool,
) -> None:
    """Let SOURCE, the name of a sending system, send events. Its token is shown once."""
    opened = open_home(home)
    regions = tuple(region.strip().lower() for region in regions)
    _check_tables(tables)
    _check_regions(regions, opened)
    wanted = tokens.Token(
        "", "", source, f"{datetime.now(UTC):%FT%TZ}", tables, tenant, regions, rate, quota
    )
    made, text = tokens.add_token(opened, wanted)
    say(as_json, {**_shown(made), "token": text}, [text])


@token_group.command("list")
@everywhere
def list_tokens(home: Path | None, as_json: bool) -> None:
    """Tokens there are, without what would let anybody send."""
    shown = [_shown(token) for token in tokens.read_tokens(open_home(home))]
    lines = [
        f"{token['token_id']}  {token['source']}  "
        f"{', '.join(token['tables']) or 'all tables'}  "
        + (f"revoked {token['revoked_at']}" if token["revoked_at"] else "valid")
        for token in shown
    ]
    say(as_json, {"tokens": shown}, lines or ["No tokens. Run: assay token add SOURCE"])


@token_group.command("revoke")
@click.argument("token_id")
@everywhere
def revoke(token_id: str, home: Path | None, as_json: bool) -> None:
    """End a token; what it has sent stays."""
    ended = tokens.revoke_token(open_home(home), token_id)
    say(as_json, _shown(ended), [f"Revoked {token_id} of {ended.source}."])


def _shown(token: tokens.Token) -> dict[str, Any]:
    facts = asdict(token)
    del facts["sha256"]
    return facts


def _check_tables(tables: tuple[str, ...]) -> None:
    there = [name for name, contract in load_contracts().items() if contract.silver]
    for table in tables:
        if table not in there:
            raise AssayError(f"No table of events {table}. There are: {', '.join(there)}.")


def _check_regions(regions: tuple[str, ...], home: Home) -> None:
    for region in regions:
        if residency_by_region().get(region) != home.residency:
            raise AssayError(
                f"The region {region} is not one of residency {home.residency} in "
                "seeds/regions.csv. Name one that is, or use a home of the other residency."
            )
