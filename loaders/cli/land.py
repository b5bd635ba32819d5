"""Landing files in bronze."""

from __future__ import annotations

import contextlib
import secrets
import shutil
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import click

from loaders.audit.rights import refuse_landing
from loaders.cli.common import FILE, everywhere, say
from loaders.contracts import contract_of
from loaders.durable import explained
from loaders.errors import AssayError
from loaders.home import Home, open_home
from loaders.landing import batches
from loaders.landing.geography import Databases
from loaders.leases import leased, sweep
from loaders.progress import progress


@click.command()
@click.argument("table")
@click.argument("files", nargs=-1, required=True)
@click.option("--map", "mapping", type=FILE, help="How fields of other names fit the contract.")
@click.option("--source", default="file", show_default=True, help="Name of the sending system.")
@click.option("--strict", is_flag=True, help="Exit with 1 if a record was refused.")
@click.option("--country-db", type=FILE, help="MaxMind database. Default: geo/ in the home.")
@click.option("--asn-db", type=FILE, help="The same for networks.")
@everywhere
def land(  # noqa: PLR0913, PLR0917 - one argument per option
    table: str,
    files: tuple[str, ...],
    mapping: Path | None,
    source: str,
    strict: bool,
    country_db: Path | None,
    asn_db: Path | None,
    home: Path | None,
    as_json: bool,
) -> None:
    """Land FILES in bronze TABLE.

    JSON lines, a JSON array, CSV or Parquet, plain or in gzip or zstd. "-" is standard input.
    """
    opened = open_home(home)
    contract_of(table)  # refused before the log says that something was set up in it
    refuse_landing(opened, table)
    own = Databases.of(opened)
    databases = Databases(country_db or own.country, asn_db or own.asn)
    results = []
    for given in files:
        with _spool_folder(opened) as spool:
            path = _spooled(spool) if given == "-" else Path(given)
            if not path.is_file():
                raise AssayError(f"No file {given}.")
            with progress(f"landing {path.name}", path.stat().st_size) as advance:
                results.append(
                    batches.land_file(
                        opened,
                        table,
                        path,
                        mapping,
                        source,
                        "-" if given == "-" else None,
                        advance,
                        databases,
                    )
                )
    for note in dict.fromkeys(note for result in results for note in result.notes):
        click.echo(note, err=True)
    say(as_json, {"batches": [asdict(r) for r in results]}, [_landed(r) for r in results])
    if strict and any(result.rejected for result in results):
        sys.exit(1)


@contextlib.contextmanager
def _spool_folder(home: Home) -> Iterator[Path]:
    """A folder in the home for what is read before it lands. The next sweeps it after a kill."""
    sweep(home.path, "incoming-*")
    folder = home.path / f"incoming-{secrets.token_hex(8)}"
    with contextlib.ExitStack() as stack:
        with explained(home.path, "land again: nothing was landed."):
            stack.enter_context(leased(folder))
            stack.callback(shutil.rmtree, folder, ignore_errors=True)
            folder.mkdir()
        yield folder


def _spooled(folder: Path) -> Path:
    """Standard input as a file: a batch is named by all of its bytes before it is read."""
    path = folder / "stdin"
    with explained(folder, "send it again: nothing of it was landed."), path.open("wb") as file:
        shutil.copyfileobj(sys.stdin.buffer, file)
    return path


def _landed(result: batches.LandingResult) -> str:
    refused = ", ".join(f"{code} {count}" for code, count in sorted(result.codes.items()))
    before = (
        f"landed before as batch {result.batch_id}, nothing to do: "
        if result.already_landed
        else ""
    )
    return (
        f"{result.file}: {before}received {result.received}, accepted {result.accepted}, "
        f"rejected {result.rejected}"
        + (f" ({refused})" if refused else "")
        + (f", secret values cut {result.cut}" if result.cut else "")
    )
