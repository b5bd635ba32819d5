"""Readers of published gold see no error, no half state, and the new data."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import duckdb
import pytest

from loaders.errors import AssayError
from loaders.gold.publish import current_release, publish
from loaders.home import Home

BUILDS = 50 if os.environ.get("ASSAY_LONG") == "1" else 12
OLDER = "1.4.4"
POLL = Path(__file__).with_name("poll.py")
MARTS = ("attempts_hourly", "attempts_daily")


def build_as(home: Home, number: int, columns: str = "") -> None:
    """Write a warehouse as a green build leaves it, whose every row says which build it is."""
    with duckdb.connect(str(home.warehouse)) as warehouse:
        warehouse.execute("create schema if not exists gold")
        warehouse.execute(
            f"create or replace table last_build as select 'build-{number}' as build_id, "
            "true as is_green, 0 as failed_nodes"
        )
        for mart in MARTS:
            warehouse.execute(
                f"create or replace table gold.{mart} as "
                f"select {number} as attempts, x{columns} from range({number * 100}) as t(x)"
            )


@pytest.fixture(scope="session")
def older_duckdb(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """An environment in which Python imports an older DuckDB, such as Metabase's driver bundles."""
    folder = tmp_path_factory.mktemp("duckdb-1.4")
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--target", str(folder)]
    subprocess.run([*command, f"duckdb=={OLDER}"], check=True, capture_output=True)
    return {**os.environ, "PYTHONPATH": str(folder)}


def test_polling_readers_see_whole_releases_and_the_new_ones(
    home: Home, tmp_path: Path, older_duckdb: dict[str, str]
):
    """Many builds are published under four readers, of two DuckDBs, that never stop asking."""
    build_as(home, 1)
    publish(home)
    stop = tmp_path / "stop"
    readers = [
        subprocess.Popen(
            [sys.executable, str(POLL), str(home.published_file), str(stop), mode],
            env=environment,
            stdout=subprocess.PIPE,
            text=True,
        )
        for mode in ("kept", "fresh")
        for environment in (dict(os.environ), older_duckdb)
    ]

    def await_readers(number: int) -> None:
        for reader in readers:
            note = stop.with_name(f"seen-{reader.pid}")
            while not note.exists() or int(note.read_text() or 0) < number:
                assert reader.poll() is None
                time.sleep(0.01)

    await_readers(1)
    for number in range(2, BUILDS + 1):
        build_as(home, number)
        publish(home)
        if number % 2 == 0:  # of some builds a reader may see nothing
            await_readers(number)
    stop.touch()
    reports = [json.loads(reader.communicate(timeout=60)[0]) for reader in readers]
    print(json.dumps(reports))
    assert {report["duckdb"] for report in reports} == {duckdb.__version__, OLDER}
    for report in reports:
        assert report["wrong"] == []
        assert {1, *range(2, BUILDS + 1, 2)} <= set(report["seen"])


def test_a_reader_that_copied_half_would_be_noticed(home: Home, tmp_path: Path):
    """The poll is not blind: a mart overwritten in place is reported."""
    build_as(home, 3)
    publish(home)
    stop = tmp_path / "stop"
    stop.touch()  # it polls once
    with duckdb.connect() as other:
        path = home.published / "current" / "attempts_daily.parquet"
        other.execute(f"copy (select 3 as attempts, x from range(17) as t(x)) to '{path}'")
    reader = subprocess.Popen(
        [sys.executable, str(POLL), str(home.published_file), str(stop), "fresh"],
        stdout=subprocess.PIPE,
        text=True,
    )
    report = json.loads(reader.communicate(timeout=60)[0])
    assert any("half a release of attempts_daily" in line for line in report["wrong"])


def test_a_new_column_is_published(home: Home):
    """The file of views is rewritten then only, and who is still connected keeps the old shape."""
    build_as(home, 1)
    publish(home)
    first = home.published_file.stat().st_ino
    publish(home)
    assert home.published_file.stat().st_ino == first
    kept = duckdb.connect(str(home.published_file), read_only=True)
    build_as(home, 2, columns=", 'new' as extra")
    publish(home)
    assert home.published_file.stat().st_ino != first
    assert kept.execute("select max(attempts) from gold.attempts_daily").fetchone() == (1,)
    kept.close()
    with duckdb.connect(str(home.published_file), read_only=True) as reader:
        assert reader.execute("select distinct extra from gold.attempts_daily").fetchall() == [
            ("new",)
        ]


def test_readers_may_see_the_home_under_another_path(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """ASSAY_PUBLISHED_PATH names what a container mounts; it need not exist where Assay runs."""
    mounted = tmp_path / "mounted"
    monkeypatch.setenv("ASSAY_PUBLISHED_PATH", str(mounted))
    build_as(home, 1)
    publish(home)
    with duckdb.connect(str(home.published_file), read_only=True) as reader:
        with pytest.raises(duckdb.IOException):
            reader.execute("from gold.attempts_daily")
        mounted.symlink_to(home.published)
        assert reader.execute("select count(*) from gold.attempts_daily").fetchone() == (100,)


def test_only_a_green_build_is_published(home: Home):
    """A build that failed, or none, leaves readers what they had."""
    with pytest.raises(AssayError, match="No warehouse"):
        publish(home)
    build_as(home, 1)
    publish(home)
    build_as(home, 2)
    with duckdb.connect(str(home.warehouse)) as warehouse:
        warehouse.execute("update last_build set is_green = false, failed_nodes = 3")
    with pytest.raises(AssayError, match="3 nodes of the last build failed"):
        publish(home)
    release = current_release(home)
    assert release is not None
    assert release.build_id == "build-1"


def test_old_releases_go_but_the_last_two_stay(home: Home, monkeypatch: pytest.MonkeyPatch):
    """A query that began before the swap can still read what it began with."""
    monkeypatch.setattr("loaders.gold.publish.KEPT_SECONDS", 0)
    for number in range(1, 5):
        build_as(home, number)
        publish(home)
    releases = [p for p in (home.published / "releases").glob("*/*") if p.is_dir()]
    assert len(releases) == 2
    assert (home.published / "current").resolve() == min(releases).resolve()


def test_a_publication_that_died_is_repeated(home: Home, monkeypatch: pytest.MonkeyPatch):
    """Until the pointer turns readers see the old release; the next publication completes."""
    build_as(home, 1)
    publish(home)
    build_as(home, 2)
    monkeypatch.setattr(
        "loaders.gold.publish._turn", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt)
    )
    with pytest.raises(KeyboardInterrupt):
        publish(home)
    with duckdb.connect(str(home.published_file), read_only=True) as reader:
        assert reader.execute("select max(attempts) from gold.attempts_daily").fetchone() == (1,)
    monkeypatch.undo()
    publish(home)
    with duckdb.connect(str(home.published_file), read_only=True) as reader:
        assert reader.execute("select max(attempts) from gold.attempts_daily").fetchone() == (2,)
