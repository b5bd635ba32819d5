"""The `assay` command: thin layers over the modules beside it.

Exit codes: 0 done, 1 refused, unbalanced or failed, 2 wrong usage.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict
from datetime import UTC, datetime, time
from pathlib import Path
from typing import Any, TypeVar

import click

from loaders import books, landing, publish, refresh, status, vault
from loaders.durable import explained
from loaders.errors import AssayError
from loaders.geography import Databases
from loaders.home import RESIDENCIES, Home, init_home, open_home
from loaders.progress import progress

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_Command = TypeVar("_Command", bound=Callable[..., Any])


class _Commands(click.Group):
    """Shows an AssayError as its one line, and nothing else."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except AssayError as error:
            click.echo(str(error), err=True)
            ctx.exit(1)


def _everywhere(command: _Command) -> _Command:
    """Options that every command has."""
    command = click.option(
        "--home", type=click.Path(path_type=Path), help="The home. Default: ASSAY_HOME, or .assay"
    )(command)
    return click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")(command)


def _say(as_json: bool, facts: dict[str, Any], lines: list[str]) -> None:
    click.echo(json.dumps(facts, default=str) if as_json else "\n".join(lines))


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="assay-lakehouse")
def main() -> None:
    """Land events, build anonymized gold, publish it."""


@main.command()
@click.option("--residency", type=click.Choice(RESIDENCIES), default="eu", show_default=True)
@_everywhere
def init(residency: str, home: Path | None, as_json: bool) -> None:
    """Make a home: vault, and a file for every bronze table."""
    made, is_new = init_home(home, residency)
    what = "Made" if is_new else "Completed"
    _say(
        as_json,
        {"home": str(made.path), "residency": residency, "is_new": is_new},
        [f"{what} the home at {made.path}, residency {residency}. Next: assay land, dbt build."],
    )


@main.command("status")
@_everywhere
def show_status(home: Path | None, as_json: bool) -> None:
    """Home, vault, last batch, last build, published gold, and what needs attention."""
    facts = status.read_status(open_home(home))
    _say(as_json, facts, status.lines(facts))


@main.command("demo-data")
@click.option("--events", default=200_000, show_default=True, type=click.IntRange(min=1000))
@click.option("--seed", default=7, show_default=True)
@click.option("--end", type=click.DateTime(["%Y-%m-%d"]), help="Day before which all lies.")
@click.option("--to", type=click.Path(path_type=Path), help="Folder. Default: demo in the home.")
@_everywhere
def demo_data(
    events: int, seed: int, end: datetime | None, to: Path | None, home: Path | None, as_json: bool
) -> None:
    """Write demo events of every domain, and the answer key of what is planted in them."""
    from loaders.demo import write_demo  # noqa: PLC0415 - numpy only where it is used

    folder = to or open_home(home).path / "demo"
    today = datetime.combine(datetime.now(UTC).date(), time(), UTC)
    last = end.replace(tzinfo=UTC) if end else today
    with progress("demo data", None):
        write_demo(folder, events, seed, last)
    files = sorted(path.name for path in folder.iterdir())
    _say(
        as_json, {"folder": str(folder), "files": files}, [f"Wrote {', '.join(files)} to {folder}."]
    )


@main.command()
@click.argument("table")
@click.argument("files", nargs=-1, required=True)
@click.option("--map", "mapping", type=_FILE)
@click.option("--source", default="file", show_default=True, help="Name of the sending system.")
@click.option("--strict", is_flag=True, help="Exit with 1 if a record was refused.")
@click.option("--country-db", type=_FILE, help="MaxMind database. Default: geo/ in the home.")
@click.option("--asn-db", type=_FILE, help="The same for networks.")
@_everywhere
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
                    landing.land_file(
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
    codes = sum((result.codes for result in results), Counter[str]())
    _say(as_json, {"batches": [asdict(r) for r in results]}, [_landed(r) for r in results])
    if strict and codes:
        sys.exit(1)


@contextlib.contextmanager
def _spool_folder(home: Home) -> Iterator[Path]:
    with explained(home.path, "land again: nothing was landed."):
        folder = tempfile.mkdtemp(dir=home.path)
    try:
        yield Path(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _spooled(folder: Path) -> Path:
    """Standard input as a file: a batch is named by all of its bytes before it is read."""
    path = folder / "stdin"
    with explained(folder, "send it again: nothing of it was landed."), path.open("wb") as file:
        shutil.copyfileobj(sys.stdin.buffer, file)
    return path


def _landed(result: landing.LandingResult) -> str:
    if result.already_landed:
        return f"{result.file}: landed before as batch {result.batch_id}, nothing to do"
    refused = ", ".join(f"{code} {count}" for code, count in sorted(result.codes.items()))
    return (
        f"{result.file}: received {result.received}, accepted {result.accepted}, "
        f"rejected {result.rejected}"
        + (f" ({refused})" if refused else "")
        + (f", secret values cut {result.cut}" if result.cut else "")
    )


@main.command()
@_everywhere
def ledger(home: Path | None, as_json: bool) -> None:
    """Show the books of every batch. Exits with 1 if one does not balance."""
    batches, note = books.read_books(open_home(home))
    wrong = [batch for batch in batches if batch.problem]
    lines = [
        f"{batch.batch_id}  {batch.table_name}  received {batch.received} = accepted "
        f"{batch.accepted} + rejected {batch.rejected} + duplicates {batch.duplicates}; "
        f"bronze {batch.bronze}; "
        + (
            f"silver {batch.silver} + duplicates {batch.silver_duplicates}"
            if batch.silver is not None
            else "not built yet"
        )
        + (f"  UNBALANCED: {batch.problem}" if batch.problem else "")
        for batch in batches
    ]
    lines += [note] if note else []
    lines.append(f"{len(batches)} batches, {len(wrong)} unbalanced.")
    facts = {"batches": [b.as_dict() for b in batches], "balanced": not wrong, "note": note}
    _say(as_json, facts, lines)
    if wrong:
        sys.exit(1)


@main.command("publish")
@_everywhere
def publish_gold(home: Path | None, as_json: bool) -> None:
    """Let readers see the gold of the last green build."""
    release = publish.publish(open_home(home))
    _say(as_json, asdict(release), _published(release))


@main.command("refresh")
@click.argument("cadence", nargs=-1, type=click.Choice(["hourly", "daily", "weekly", "monthly"]))
@_everywhere
def refresh_gold(cadence: tuple[str, ...], home: Path | None, as_json: bool) -> None:
    """Build, publish and record. CADENCE builds only the marts of that rhythm."""
    opened = open_home(home)
    for selector in cadence or (None,):
        release = refresh.refresh(opened, selector)
    _say(as_json, asdict(release), _published(release))


def _published(release: publish.Release) -> list[str]:
    marts = [f"  {mart}: {rows} rows" for mart, rows in release.rows.items()]
    return [f"Published release {release.release_id}:", *marts]


@main.group("vault")
def vault_group() -> None:
    """Keys behind the pseudonyms."""


@vault_group.command("init")
@_everywhere
def vault_init(home: Path | None, as_json: bool) -> None:
    """Make a vault with a first key, unless there is one."""
    opened = open_home(home)
    is_new = vault.init_vault(opened.vault, opened.residency)
    _say(as_json, {"is_new": is_new}, ["Made a vault." if is_new else "There is a vault already."])


@vault_group.command("status")
@_everywhere
def vault_status(home: Path | None, as_json: bool) -> None:
    """List the keys, without their secret part."""
    keys = vault.keys(open_home(home).vault)
    lines = [
        f"{key.region} version {key.version}, key {key.key_id}, from {key.valid_from:%Y-%m-%d}, "
        + (f"retired {key.retired_at:%Y-%m-%d}" if key.retired_at else "live")
        for key in keys
    ]
    _say(as_json, {"keys": [asdict(key) for key in keys]}, lines)
