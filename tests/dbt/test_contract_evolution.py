"""Parquet written under an older contract is read, built and checked under the newer one.

A copy of the project gets a contract of attempts that has one more column, a wider type and a
retired column, and a type of events with one more field; its own `assay` and dbt then work on files
that the project as it is wrote.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from conftest import LONG_ALONE, MODELS_ONLY, PROJECT, dbt_environment, run_dbt

from loaders.home import Home, init_home
from loaders.landing.batches import land_file

PEOPLE = 30
# What nothing that changes is read by.
OTHERS = (
    *("path:models/gold/engagement", "path:models/gold_restricted"),
    *("feature_adoption_weekly", "metric_time_series+"),
)
BUILT = ("--exclude", *OTHERS, *MODELS_ONLY)
PARTS = ["loaders", "macros", "models", "seeds", "tests", "dbt_project.yml", "profiles.yml"]
# Where silver takes the new column up.
STEPS = [
    (
        "        status,\n        {{ try_cast(",
        "        status,\n        channel,\n        {{ try_cast(",
    ),
    ("        cleaned.duration_ns,\n", "        cleaned.duration_ns,\n        cleaned.channel,\n"),
    ("        duration_ns,\n\n", "        duration_ns,\n        channel,\n\n"),
]


def sent(folder: Path, name: str, day: int, **more: object) -> Path:
    """A file of sign-ups of many people within one hour."""
    path = folder / f"{name}.jsonl"
    rows = [
        {
            "event_id": f"{name}-{n}",
            "timestamp": f"2026-05-{day:02}T10:00:00Z",
            "action": "signup",
            "status": "success",
            "domain": "a.example",
            "email": f"person{n}@mail.example",
            "referrer": "https://elsewhere.example/",
            "duration": 1_000_000 * n,
            **more,
        }
        for n in range(PEOPLE)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def won(folder: Path, name: str) -> Path:
    """A file of one event, with a field that only the newer registry declares."""
    path = folder / f"won-{name}.jsonl"
    event = {
        "event_id": name,
        "event_type": "challenge.won",
        "occurred_at": "2026-05-01T10:00:00Z",
        "payload": {"challenge_id": "c1", "prize": "gold"},
    }
    path.write_text(json.dumps(event) + "\n", encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def newer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project with the newer contract."""
    copy = tmp_path_factory.mktemp("newer") / "project"
    copy.mkdir()
    for part in PARTS:
        source = PROJECT / part
        if source.is_dir():
            skip = shutil.ignore_patterns("__pycache__")
            shutil.copytree(source, copy / part, ignore=skip)
        else:
            shutil.copy(source, copy / part)
    contract = copy / "models" / "bronze" / "attempts.yml"
    document = yaml.safe_load(contract.read_text(encoding="utf-8"))
    columns = document["sources"][0]["tables"][0]["columns"]
    by_name = {column["name"]: column for column in columns}
    by_name["duration"]["data_type"] = "float64"
    by_name["referrer"]["config"]["meta"]["retired"] = True
    columns.insert(
        columns.index(by_name["producer"]),
        {
            "name": "channel",
            "description": "Where the person came from, a word of the application.",
            "data_type": "string",
            "config": {"meta": {"privacy": "safe", "since": "0.2.0"}},
        },
    )
    contract.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
    events = copy / "models" / "bronze" / "events" / "challenges.yml"
    document = yaml.safe_load(events.read_text(encoding="utf-8"))
    [event] = [t for t in document["sources"][0]["tables"] if t["name"] == "challenge_won"]
    event["config"]["meta"]["version"] = "1.1.0"
    event["columns"].append(
        {
            "name": "prize",
            "description": "What was won, a word of the application.",
            "data_type": "string",
            "config": {"meta": {"privacy": "safe"}},
        }
    )
    events.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
    staging = copy / "models" / "silver" / "access" / "stg_access__attempts.sql"
    text = staging.read_text(encoding="utf-8")
    for before, after in STEPS:
        assert text.count(before) == 1
        text = text.replace(before, after)
    staging.write_text(text, encoding="utf-8")
    return copy


def run(project: Path, home: Home, *command: object) -> str:
    """Run a command of a project, with the loaders of that project."""
    program, *arguments = map(str, command)
    result = subprocess.run(
        [str(Path(sys.executable).with_name(program)), *arguments],
        cwd=project,
        env={**os.environ, **dbt_environment(home.path), "PYTHONPATH": str(project)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout[-3000:] + result.stderr
    return result.stdout


def row(warehouse: duckdb.DuckDBPyConnection, sql: str) -> tuple[object, ...]:
    found = warehouse.execute(sql).fetchone()
    assert found is not None
    return found


def test_the_changes_are_compatible(newer: Path, home: Home):
    """The checker says so of the contract that this file proves it for."""
    said = run(newer, home, "assay", "contracts", "check")
    assert "attempts.channel: a new column. compatible" in said
    assert "attempts.duration: data_type is now float64. compatible" in said
    assert "attempts.referrer: retired is now true. compatible" in said
    assert "challenge.won.prize: a new field. compatible" in said
    assert "challenge.won: version is now 1.1.0. compatible" in said
    assert "5 changes, 0 incompatible." in said


@pytest.mark.parametrize(
    "is_built_before",
    [
        pytest.param(False, id="a fresh build", marks=LONG_ALONE),
        pytest.param(True, id="an increment"),
    ],
)
def test_old_and_new_files_build_together(newer: Path, tmp_path: Path, is_built_before: bool):
    """From bronze to gold, whether silver was there already or not."""
    home, _ = init_home(tmp_path / "home")
    land_file(home, "attempts", sent(tmp_path, "old", 1))
    land_file(home, "platform_events", won(tmp_path, "old"))
    if is_built_before:
        run_dbt(home, "build", *BUILT)
    run(newer, home, "assay", "init")
    run(newer, home, "assay", "land", "attempts", sent(tmp_path, "new", 2, channel="search"))
    run(newer, home, "assay", "land", "platform_events", won(tmp_path, "new"))
    types = {
        pq.ParquetFile(file).schema_arrow.field("duration").type
        for file in (home.bronze / "attempts").rglob("*.parquet")
        if len(file.stem) == 32
    }
    assert types == {pa.int64(), pa.float64()}

    run(newer, home, "dbt", "build", *BUILT)
    with duckdb.connect(str(home.warehouse), read_only=True) as warehouse:
        channels = warehouse.execute(
            "select channel, count(*), median(duration_ns) from silver.stg_access__attempts "
            "group by 1 order by 1 nulls first"
        ).fetchall()
        assert channels == [(None, PEOPLE, 14_500_000.0), ("search", PEOPLE, 14_500_000.0)]
        assert row(
            warehouse, "select sum(attempts), min(p50_ms), max(p50_ms) from gold.attempts_daily"
        ) == (2 * PEOPLE, 15, 15)
        # What was sent before it was declared is in bronze, and comes with whatever is read there.
        prizes = warehouse.execute("select event_id, prize from silver.stg_engagement__events")
        assert dict(prizes.fetchall()) == {
            "new": "gold",
            "old": None if is_built_before else "gold",
        }

    # What was retired is no longer taken, and not lost either.
    with duckdb.connect() as bronze:
        landed = bronze.execute(
            "select count(referrer), count(additional_data), count(channel) from "
            f"read_parquet('{home.glob('attempts')}', union_by_name = true)"
        ).fetchone()
    assert landed == (PEOPLE, PEOPLE, PEOPLE)
    assert "8 batches" in (said := run(newer, home, "assay", "check", "--all"))
    assert "0 failed" in said
    assert "0 unbalanced" in run(newer, home, "assay", "ledger")


def test_a_batch_of_the_newer_version_must_have_the_column(newer: Path, tmp_path: Path):
    """Only files that an older version wrote may lack it."""
    home, _ = init_home(tmp_path / "home")
    land_file(home, "attempts", sent(tmp_path, "old", 1))
    (file,) = [f for f in (home.bronze / "attempts").rglob("*.parquet") if len(f.stem) == 32]
    table = pq.ParquetFile(file).read()
    position = table.column_names.index("pipeline_version")
    versions = pa.repeat("0.2.0", table.num_rows)
    pq.write_table(table.set_column(position, "pipeline_version", versions), file)
    with pytest.raises(AssertionError, match="channel  expect_column_to_exist"):
        run(newer, home, "assay", "check", "attempts")
