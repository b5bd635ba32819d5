"""The command as a whole: help, JSON, homes and vaults, status, and dbt beside it."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import time
from pathlib import Path
from typing import Any

import click
import duckdb
import pyarrow.parquet as pq
import pytest
from conftest import Demo, dbt_environment, run_dbt
from landed import ASSAY, ATTEMPT, assay, batch_files, says_one_line

from loaders import vault
from loaders.cli import main
from loaders.gold.publish import publish
from loaders.home import Home, init_home
from loaders.landing.batches import land_file


def commands(group: click.Group = main, *path: str) -> list[tuple[tuple[str, ...], click.Command]]:
    """Every command there is, those of groups too."""
    found: list[tuple[tuple[str, ...], click.Command]] = []
    for name, command in group.commands.items():
        found.append(((*path, name), command))
        if isinstance(command, click.Group):
            found += commands(command, *path, name)
    return found


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def secrets_of(home: Home) -> list[tuple[Any, ...]]:
    with duckdb.connect(str(home.vault), read_only=True) as connection:
        return connection.execute("select * from salts order by all").fetchall()


def status_of(home: Home) -> dict[str, Any]:
    result = assay("status", "--json", home=home)
    assert result.returncode == 0, result.stderr
    return dict(json.loads(result.stdout))


@pytest.fixture
def sent(tmp_path: Path) -> Path:
    """A file of one attempt."""
    path = tmp_path / "sent.jsonl"
    path.write_text(json.dumps(ATTEMPT) + "\n")
    return path


@pytest.fixture
def built(demo: Demo, tmp_path: Path) -> Home:
    """The built demo, to change as one likes."""
    skip = shutil.ignore_patterns("demo", "target", "logs", "published", "published.duckdb")
    return Home(Path(shutil.copytree(demo.home.path, tmp_path / "built", ignore=skip)))


# --- help and JSON


def test_every_command_and_option_has_help():
    """A sentence for each, in what `--help` prints."""
    assert {path[0] for path, _ in commands()} >= {
        *(
            "init",
            "status",
            "demo-data",
            "land",
            "ledger",
            "publish",
            "rebuild",
            "refresh",
            "vault",
        ),
    }
    for path, command in commands():
        assert command.help, path
        assert command.help.strip().splitlines()[0].endswith("."), path
        if not isinstance(command, click.Group):
            options = {name for parameter in command.params for name in parameter.opts}
            assert "--json" in options, path
            assert options & {"--home", "--of"}, path  # of several homes


def test_every_option_has_help():
    bare = [
        (*path, parameter.name)
        for path, command in commands()
        for parameter in command.params
        if isinstance(parameter, click.Option) and not parameter.help
    ]
    assert bare == []


def test_help_is_printed(tmp_path: Path):
    """For the whole and for a part, without a home."""
    for arguments in (("-h",), ("land", "--help")):
        result = assay(*arguments, ASSAY_HOME=str(tmp_path / "nowhere"))
        assert result.returncode == 0
        assert result.stdout.startswith("Usage: assay")
        assert result.stderr == ""
    assert assay("--version").stdout.strip().endswith("0.1.0")


def test_json_is_one_object(tmp_path: Path, sent: Path):
    """Every command that needs no build, in the order in which a person would run them."""
    home = tmp_path / "home"
    facts = {
        "init": {"home": str(home), "residency": "eu", "is_new": True},
        "vault init": {"is_new": False},
        "vault status": {},
        "status": {"residency": "eu", "batches": 0},
        "demo-data --events 1000": {"folder": str(home / "demo")},
        f"land attempts {sent}": {},
        "ledger": {"balanced": True},
    }
    for command, expected in facts.items():
        result = assay(*command.split(), "--json", home=home)
        assert result.returncode == 0, result.stderr
        assert result.stdout.count("\n") == 1
        found = json.loads(result.stdout)
        assert expected.items() <= found.items(), command
    batch = json.loads(assay("land", "attempts", sent, "--json", home=home).stdout)["batches"][0]
    assert batch["already_landed"] is True
    assert batch["file"] == "sent.jsonl"


def test_json_of_a_publication_is_one_object(built: Home):
    """Release, build and rows per mart, of a build that was green."""
    result = assay("publish", "--json", home=built)
    assert result.returncode == 0, result.stderr
    release = json.loads(result.stdout)
    assert release["rows"]["attempts_hourly"] > 0
    status = status_of(built)
    assert status["release_id"] == release["release_id"]
    assert status["last_build"]["build_id"] == release["build_id"]
    assert status["published_age_seconds"] < 60


# --- homes and vaults


def test_a_home_is_for_its_owner_alone(tmp_path: Path):
    """Folder 0700 and vault 0600, whatever the umask allows."""
    home, previous = Home(tmp_path / "home"), os.umask(0)
    try:
        assert assay("init", home=home).returncode == 0
    finally:
        os.umask(previous)
    assert mode(home.path) == 0o700
    assert mode(home.vault) == 0o600
    assert not list(home.path.glob("*.new"))


def test_init_again_changes_no_key_and_no_row(home: Home, sent: Path):
    """It completes what is missing, and says so."""
    land_file(home, "attempts", sent)
    before, kept = secrets_of(home), [f.read_bytes() for f in batch_files(home, "attempts")]
    (home.bronze / "attempts" / "ingest_date=1970-01-01" / "schema.parquet").unlink()
    result = assay("init", home=home)
    assert result.returncode == 0
    assert result.stdout.startswith(f"Completed the home at {home.path}, residency eu.")
    assert secrets_of(home) == before
    assert [file.read_bytes() for file in batch_files(home, "attempts")] == kept
    assert len(list((home.bronze / "attempts").rglob("schema.parquet"))) == 1


def test_a_home_keeps_its_residency(home: Home):
    result = assay("init", "--residency", "us", home=home)
    assert result.returncode == 1
    assert "holds residency eu, not us" in says_one_line(result)


def test_two_homes_have_two_keys(home: Home, tmp_path: Path):
    """Random, 64 bytes per pad, and the region's own."""
    other = init_home(tmp_path / "other", "us")[0]
    (mine,), (theirs,) = secrets_of(home), secrets_of(other)
    assert (mine[0], theirs[0]) == ("eu", "us")
    assert mine[3] != theirs[3]
    for row in (mine, theirs):
        assert len(row[3]) == len(row[4]) == 64
        assert bytes(b ^ 0x36 for b in row[3]) == bytes(b ^ 0x5C for b in row[4])
        assert row[3][32:] == b"\x36" * 32


def test_the_vault_status_shows_no_secret(home: Home):
    """In text and as an object: versions, ids and dates, no byte of a pad."""
    ((region, version, key_id, inner, outer, *_),) = secrets_of(home)
    for options in ((), ("--json",)):
        said = assay("vault", "status", *options, home=home).stdout
        assert str(version) in said
        assert region in said
        assert key_id in said
        for secret in (inner, outer, bytes(b ^ 0x36 for b in inner)):
            assert secret.hex()[:16] not in said


def test_four_inits_at_once_make_one_home(tmp_path: Path):
    """As when a service starts its workers. One key, and nobody fails."""
    home = Home(tmp_path / "home")
    command = [ASSAY, "init", "--home", home.path]
    running = [subprocess.Popen(command, stderr=subprocess.DEVNULL) for _ in range(4)]
    assert [process.wait() for process in running] == [0] * 4
    assert len(secrets_of(home)) == 1


def test_a_home_in_an_open_folder_is_closed(tmp_path: Path):
    folder = tmp_path / "home"
    folder.mkdir(mode=0o755)
    assert assay("init", home=folder).returncode == 0
    assert mode(folder) == 0o700


# --- status


def test_the_status_of_a_fresh_home_says_what_comes_next(home: Home):
    """No batch, no build, nothing published: each in words."""
    status = status_of(home)
    assert status["batches"] == 0
    assert status["last_batch"] is status["last_build"] is status["release_id"] is None
    assert status["key"] == "version 1"
    assert status["attention"] == [
        f"Silver is not in the books: No warehouse in {home.path}. Run: dbt build",
        "Nothing is published yet. Run: assay refresh",
    ]
    text = assay("status", home=home).stdout
    assert f"home        {home.path} (eu)\n" in text
    assert "attention   Nothing is published yet. Run: assay refresh\n" in text


def test_the_status_of_a_landed_home(home: Home, sent: Path):
    """What waits for a build, and what waits in the dead letters."""
    sent.write_text(json.dumps(ATTEMPT) + "\nbroken\n[]\n")
    batch = land_file(home, "attempts", sent)
    status = status_of(home)
    assert (status["batches"], status["last_batch"]) == (1, batch.batch_id)
    assert "1 batches are not built yet. Run: assay refresh" in status["attention"]
    waiting = "2 records wait in the dead letters: payload_malformed 2. "
    assert waiting + "Run, once mended: assay replay" in status["attention"]


def test_the_status_of_a_published_home(built: Home, demo: Demo):
    """All is well but for the refused records of the demo."""
    publish(built)
    key = json.loads((demo.home.path / "demo" / "answer_key.json").read_text(encoding="utf-8"))
    parts = [part for part in key.values() if isinstance(part, dict)]
    files = [file for part in parts for file in part.get("files", {}).values()]
    refused = sum(sum(file["rejected"].values()) for file in files)
    (attention,) = status_of(built)["attention"]
    assert attention.startswith(f"{refused} records wait in the dead letters: ")


def test_the_status_of_a_home_that_needs_care(built: Home, sent: Path):
    """A build that failed, gold that is not of the last build, a vault that others can read."""
    publish(built)
    with duckdb.connect(str(built.warehouse)) as warehouse:
        warehouse.execute(
            "update last_build set is_green = false, failed_nodes = 3, build_id = 'another'"
        )
    built.vault.chmod(0o644)
    attention = status_of(built)["attention"]
    assert "3 nodes of the last build failed. See logs/dbt.log" in attention
    assert "The last build is not published. Run: assay publish" in attention
    assert f"{built.vault} is readable by others. Run: chmod 600 {built.vault}" in attention
    result = assay("publish", home=built)
    assert result.returncode == 1
    assert "Not published: 3 nodes of the last build failed." in says_one_line(result)


def test_the_status_of_a_home_without_one_live_key(home: Home):
    """None, or two, are said; so is a vault that is gone."""
    with duckdb.connect(str(home.vault)) as connection:
        connection.execute(
            "insert into salts select region, 2, 'k2', * exclude (region, version, "
            "key_id) from salts"
        )
    assert (
        "The vault has 2 live keys, not one. Run: assay vault status"
        in (status_of(home)["attention"])
    )
    home.vault.unlink()
    assert f'No vault at {home.vault}. Run "assay vault init".' in status_of(home)["attention"]
    assert len(vault_made(home)) == 1


def vault_made(home: Home) -> list[vault.KeyInfo]:
    assert assay("vault", "init", home=home).stdout == "Made a vault.\n"
    return vault.keys(home.vault)


# --- dbt


def test_dbt_without_a_home_says_so_in_one_line(tmp_path: Path):
    """No traceback, and no stray file where the home might be."""
    nowhere, aside = tmp_path / "nowhere", tmp_path / "aside"
    elsewhere = {
        name: value for name, value in dbt_environment(aside).items() if name != "ASSAY_HOME"
    }
    result = run_dbt(nowhere, "build", check=False, **elsewhere)
    assert result.returncode != 0
    said = result.stdout + result.stderr
    assert f'No home at {nowhere}. Run "assay init", or set ASSAY_HOME.' in said
    assert said.count("No home at") == 1
    assert "Traceback" not in said
    assert not nowhere.exists()


# Each asks for rows that break a rule: where there are none, it is green whatever it says.
OF_ROWS = (
    *("accepted_values", "day_grain", "filled", "k_anonymous", "not_null", "one_key"),
    *("relationships", "unique", "unique_rows"),
)


def test_dbt_builds_a_fresh_home(home: Home):
    """Green, with every mart there and empty, whatever the clock of the machine says.

    But for the one that says of each pipeline how it is: that nothing has come yet.
    """
    run_dbt(home, "build", "--exclude", *(f"test_name:{name}" for name in OF_ROWS), TZ="Asia/Tokyo")
    with duckdb.connect(str(home.warehouse), read_only=True) as warehouse:
        marts = warehouse.execute(
            "select table_name from information_schema.tables where table_schema = 'gold'"
        ).fetchall()
        assert ("attempts_hourly",) in marts
        health = warehouse.sql("select distinct status from gold.pipeline_health").fetchall()
        assert health == [(None,)]
    release = publish(home)
    assert set(release.rows) == {mart for (mart,) in marts}
    assert {mart for mart, count in release.rows.items() if count} == {"pipeline_health"}


def test_landing_is_the_same_under_another_clock(tmp_path: Path, sent: Path):
    """Times without a zone are UTC, and the partition is the day in UTC."""
    sent.write_text(json.dumps(ATTEMPT | {"timestamp": "2026-05-01 23:30:00"}) + "\n")
    found = []
    for zone in ("Asia/Tokyo", "America/Los_Angeles"):
        home = init_home(tmp_path / zone.replace("/", "-"))[0]
        before = time.gmtime()
        assert assay("land", "attempts", sent, home=home, TZ=zone).returncode == 0
        (file,) = batch_files(home, "attempts")
        assert file.parent.name in {
            f"ingest_date={time.strftime('%Y-%m-%d', moment)}" for moment in (before, time.gmtime())
        }
        (row,) = pq.ParquetFile(file).read().to_pylist()
        found.append((row["timestamp"].isoformat(), row["payload_hash"]))
    assert found == [("2026-05-01T23:30:00+00:00", found[0][1])] * 2
