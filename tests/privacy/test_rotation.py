"""A rotation changes every pseudonym in silver and nothing in gold, wherever it is interrupted."""

from __future__ import annotations

import contextlib
import hmac
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest
from byte_search import Needles, search
from conftest import MODELS_ONLY, PROJECT, dbt_environment, run_dbt
from test_no_leak import key_needles
from test_pseudonyms import vault_key

from loaders import vault
from loaders.demo import write_demo
from loaders.errors import AssayError
from loaders.home import Home, bronze_reader, init_home
from loaders.landing.batches import land_file
from loaders.status import read_status
from loaders.vault.rotation import rotate

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("access_alone", "artifacts")]

ASSAY = Path(sys.executable).with_name("assay")
EVENTS = 6_000
COMPUTED_AT = {"updated_at", "labelled_at"}
NOT_CARRIED_OVER = "Silver is not carried over to the live key yet. Run: assay refresh"


@dataclass(frozen=True)
class Parts:
    """Two homes with one key: all batches, built at once; and a part of them, built, not rotated.

    `rest` are the bronze files that the second home does not have yet.
    """

    whole: Home
    begun: Home
    rest: list[Path]


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Parts:
    """The second part brings known people back, and events of the first one: exact and changed."""
    folder = tmp_path_factory.mktemp("rotation")
    whole, _ = init_home(folder / "whole")
    demo = folder / "demo"
    write_demo(demo, EVENTS, 7, datetime(2026, 6, 1, tzinfo=UTC))
    first = demo / "attempts-01.jsonl"
    land_file(whole, "attempts", first)
    land_file(whole, "deposit_attempts", demo / "deposit_attempts-01.jsonl")
    begun = Home(folder / "begun")
    shutil.copytree(whole.path, begun.path)
    run_dbt(begun, "build", *MODELS_ONLY)

    seed = random.SystemRandom().randrange(2**32)
    print(f"second part made with seed {seed}")
    again = demo / "again.jsonl"
    again.write_text("\n".join(come_back(first, random.Random(seed))), encoding="utf-8")
    for file in [*sorted(demo.glob("attempts-*"))[1:], again]:
        land_file(whole, "attempts", file)
    land_file(whole, "deposit_attempts", demo / "deposit_attempts-02.csv")
    run_dbt(whole, "build", *MODELS_ONLY)
    files = [path.relative_to(whole.path) for path in whole.bronze.rglob("*.parquet")]
    return Parts(whole, begun, [path for path in files if not (begun.path / path).exists()])


def come_back(file: Path, dice: random.Random) -> list[str]:
    """Lines of a file again: as they were, with another duration, and as other events."""
    lines = file.read_text(encoding="utf-8").splitlines()
    chosen = [json.loads(line) for line in dice.sample(lines, 900)]
    exact, changed, others = chosen[:300], chosen[300:600], chosen[600:]
    changed = [{**row, "duration": (row.get("duration") or 0) + 1} for row in changed]
    others = [{**row, "event_id": f"other-{n}"} for n, row in enumerate(others)]
    return [json.dumps(row) for row in [*exact, *changed, *others]]


def copy_of(home: Home, folder: Path) -> Home:
    shutil.copytree(home.path, folder / "home")
    return Home(folder / "home")


def land_rest(parts: Parts, home: Home) -> None:
    for path in parts.rest:
        (home.path / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(parts.whole.path / path, home.path / path)


def assay(home: Home, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [ASSAY, *arguments, "--home", home.path],
        env={**os.environ, **dbt_environment(home.path)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def rotated(parts: Parts, tmp_path_factory: pytest.TempPathFactory) -> Home:
    """The first part, rotated by the command, then the second part, built."""
    home = copy_of(parts.begun, tmp_path_factory.mktemp("rotated"))
    done = assay(home, "vault", "rotate", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["key"]["version"] == 2
    (home.path / "logs" / "printed.txt").write_text(done.stdout + done.stderr, encoding="utf-8")
    assert versions_in(home) == {"v2"}
    land_rest(parts, home)
    run_dbt(home, "build", *MODELS_ONLY)
    run_dbt(home, "test", "--select", "test_name:one_key", "test_name:unique_rows")
    return home


def rows_of(home: Home, table: str, *without: str) -> list[tuple]:
    with duckdb.connect(str(home.warehouse), read_only=True) as warehouse:
        columns = [c[0] for c in warehouse.execute(f"describe {table}").fetchall()]
        kept = [c for c in columns if c not in COMPUTED_AT and c not in without]
        return warehouse.execute(f"select {', '.join(kept)} from {table} order by all").fetchall()


def gold_of(home: Home) -> dict[str, list[tuple]]:
    with duckdb.connect(str(home.warehouse), read_only=True) as warehouse:
        marts = warehouse.execute(
            "select table_name from duckdb_tables() where schema_name = 'gold'"
        ).fetchall()
    # What ran and who did what is no matter of events, and a rotation is both.
    of_runs = {"pipeline_health", "system_health_hourly", "audit_activity_daily"}
    of_events = {mart for (mart,) in marts} - of_runs
    return {mart: rows_of(home, f"gold.{mart}", "failed_runs") for mart in of_events}


def versions_in(home: Home) -> set[str]:
    """The versions of whatever looks like a pseudonym, in any text of silver."""
    found: set[str] = set()
    with duckdb.connect(str(home.warehouse), read_only=True) as warehouse:
        columns = warehouse.execute(
            "select table_name, column_name from duckdb_columns() "
            "where schema_name = 'silver' and data_type = 'VARCHAR'"
        ).fetchall()
        for table, column in columns:
            pattern = f"regexp_extract({column}, '^(v[0-9]+):[0-9a-f]{{64}}$', 1)"
            rows = warehouse.execute(f"select distinct {pattern} from silver.{table}").fetchall()
            found |= {version for (version,) in rows if version}
    return found


def people(home: Home) -> tuple[int, int]:
    with duckdb.connect(str(home.warehouse), read_only=True) as warehouse:
        return warehouse.execute(
            "select (select count(distinct subject_key) from silver.stg_access__attempts), "
            "(select count(distinct subject_key) from silver.int_access__published_attempts)"
        ).fetchall()[0]


def test_gold_is_as_if_there_had_been_no_rotation(parts: Parts, rotated: Home) -> None:
    """Every row of every mart; every duplicate is exact or a conflict as before; nobody twice."""
    expected = gold_of(parts.whole)
    assert sum(map(len, expected.values())) > 300
    assert gold_of(rotated) == expected
    duplicates = "silver.int_access__duplicates"
    found = rows_of(rotated, duplicates, "payload_key")
    assert found == rows_of(parts.whole, duplicates, "payload_key")
    codes = [row[-1] for row in found]
    assert codes.count("duplicate_exact") >= 300
    assert codes.count("duplicate_conflict") >= 250
    assert people(rotated) == people(parts.whole)
    assert versions_in(rotated) == {"v2"}
    assert versions_in(parts.whole) == {"v1"}


def test_every_pseudonym_is_the_chain_of_both_keys(rotated: Home) -> None:
    """By Python's hmac, from bronze: rows carried over and rows that came later."""
    keys = [vault_key(rotated, version) for version in (1, 2)]

    def chain(domain: str, value: str) -> str:
        first = "v1:" + hmac.new(keys[0], f"{domain}\x1f{value}".encode(), "sha256").hexdigest()
        return "v2:" + hmac.new(keys[1], first.encode(), "sha256").hexdigest()

    with (
        bronze_reader(rotated) as bronze,
        duckdb.connect(str(rotated.warehouse), read_only=True) as warehouse,
    ):
        sent = {
            (batch, line): (email, digest)
            for batch, line, email, digest in bronze.execute(
                "select batch_id, line_number, email, payload_hash from bronze.attempts"
            ).fetchall()
        }
        kept = warehouse.execute(
            "select batch_id, line_number, email_key, payload_key from silver.stg_access__attempts"
        ).fetchall()
    wrong = 0
    for batch, line, email_key, payload_key in kept:
        email, digest = sent[batch, line]
        cleaned = "".join(email.split()).lower() if email else None
        wrong += email_key != (chain("access.email", cleaned) if cleaned else None)
        wrong += payload_key != chain("attempts.payload", digest)
    print(f"{len(kept)} rows, {wrong} pseudonyms differ from Python's hmac")
    assert len(kept) > EVENTS * 0.9
    assert wrong == 0


def test_neither_key_is_in_anything_written(rotated: Home) -> None:
    """SQL, artifacts, logs and what the command printed."""
    needles = Needles(key_needles(rotated))
    written = [rotated.path / "target", rotated.path / "logs"]
    log = (rotated.path / "logs" / "dbt.log").read_text(encoding="utf-8")
    assert "starts_with(email_key, 'v1:')" in log
    assert "Carrying pseudonyms over" in (rotated.path / "logs" / "printed.txt").read_text()
    assert search(needles, written) == {}


def test_a_build_completes_a_rotation_that_only_made_the_key(
    parts: Parts, rotated: Home, tmp_path: Path
) -> None:
    """Killed right after the vault was replaced, and with a second rotation on top."""
    home = copy_of(parts.begun, tmp_path)
    vault.add_key(home.vault, "eu")
    vault.add_key(home.vault, "eu")
    assert NOT_CARRIED_OVER in read_status(home)["attention"]
    land_rest(parts, home)
    run_dbt(home, "run")
    assert NOT_CARRIED_OVER not in read_status(home)["attention"]
    assert versions_in(home) == {"v3"}
    assert gold_of(home) == gold_of(rotated)


def test_a_build_completes_a_rotation_that_was_killed(
    parts: Parts, rotated: Home, tmp_path: Path
) -> None:
    """Kill -9 of the command and of its dbt, when the first table is being carried over.

    One table is then taken from a completed copy: silver holds both keys whatever was reached.
    """
    home = copy_of(parts.begun, tmp_path)
    with subprocess.Popen(
        [ASSAY, "vault", "rotate", "--home", home.path],
        env={**os.environ, **dbt_environment(home.path)},
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stderr
        line = next(line for line in process.stderr if "Carrying" in line)
        os.killpg(process.pid, signal.SIGKILL)
    assert re.search(r"table 1 of \d", line)
    await_death(home)
    reached = versions_in(home)
    completed = copy_of(home, tmp_path / "completed")
    run_dbt(completed, "run-operation", "rekey_silver")
    assert versions_in(completed) == {"v2"}
    with duckdb.connect(str(home.warehouse)) as warehouse:
        warehouse.execute(f"attach '{completed.warehouse}' as completed (read_only)")
        warehouse.execute(
            "create or replace table silver.stg_access__attempts "
            "as from completed.silver.stg_access__attempts"
        )
    print(f"killed with {sorted(reached)} in silver, then {sorted(versions_in(home))}")
    assert reached <= {"v1", "v2"}
    assert "v2" in versions_in(home)
    land_rest(parts, home)
    run_dbt(home, "run")
    assert versions_in(home) == {"v2"}
    assert gold_of(home) == gold_of(rotated)


def await_death(home: Home) -> None:
    """A killed process lets go of its files a moment later."""
    for _ in range(100):
        with contextlib.suppress(duckdb.IOException):
            return duckdb.connect(str(home.warehouse), read_only=True).close()
        time.sleep(0.1)
    raise AssertionError("the killed process still holds the warehouse")


def test_without_the_bridge_people_count_twice(parts: Parts, tmp_path: Path) -> None:
    """The planted fault: the same build without `rekey_silver` is wrong, and its guard sees it."""
    project = tmp_path / "project"
    folders = ("models", "macros", "seeds", "tests")
    for folder in folders:
        shutil.copytree(PROJECT / folder, project / folder)
    for file in ("dbt_project.yml", "profiles.yml", "selectors.yml"):
        shutil.copy(PROJECT / file, project)
    settings = (project / "dbt_project.yml").read_text(encoding="utf-8")
    sabotaged, changes = re.subn(r"(?m)^on-run-start: .*\n", "", settings)
    assert changes == 1
    (project / "dbt_project.yml").write_text(sabotaged, encoding="utf-8")
    home = copy_of(parts.begun, tmp_path)
    vault.add_key(home.vault, "eu")
    land_rest(parts, home)
    where = ("--project-dir", str(project), "--profiles-dir", str(project))
    run_dbt(home, "run", *where)
    assert versions_in(home) == {"v1", "v2"}
    assert people(home)[0] > people(parts.whole)[0]
    assert gold_of(home) != gold_of(parts.whole)
    tested = run_dbt(home, "test", "--select", "test_name:one_key", check=False)
    assert "one_key_stg_access__attempts" in tested.stdout
    assert tested.returncode == 1


MIXED = {
    "another vault of the same version": (
        "The vault does not hold the key that silver was made with. Run: assay vault restore FILE"
    ),
    "a version that no key has": (
        "silver.stg_access__attempts.email_key holds pseudonyms of a key that the vault does not "
        "have. Run: assay vault restore FILE"
    ),
    "two live keys": "The vault has 2 live keys, not one. Run assay vault status.",
}


@pytest.mark.parametrize("fault", MIXED)
def test_a_build_that_would_mix_keys_is_stopped(fault: str, parts: Parts, tmp_path: Path) -> None:
    """Before any model runs, with one line that says what to do."""
    home = copy_of(parts.begun, tmp_path)
    if fault == "another vault of the same version":
        shutil.copy(init_home(tmp_path / "other")[0].vault, home.vault)
        assert MIXED[fault] in read_status(home)["attention"]
    elif fault == "two live keys":
        vault.replace_keys(home.vault, two_live_keys(home))
    else:
        with duckdb.connect(str(home.warehouse)) as warehouse:
            warehouse.execute(
                "update silver.stg_access__attempts set email_key = 'v9' || substr(email_key, 3) "
                "where event_id = (select max(event_id) from silver.stg_access__attempts "
                "where email_key is not null)"
            )
    land_rest(parts, home)
    before = gold_of(home), rows_of(home, "silver.stg_access__attempts")
    refused = run_dbt(home, "run", check=False)
    assert refused.returncode != 0
    assert MIXED[fault] in refused.stdout
    assert (gold_of(home), rows_of(home, "silver.stg_access__attempts")) == before


def test_a_refresh_says_in_one_line_why_a_build_is_stopped(parts: Parts, tmp_path: Path) -> None:
    home = copy_of(parts.begun, tmp_path)
    vault.replace_keys(home.vault, two_live_keys(home))
    refused = assay(home, "refresh")
    assert refused.returncode == 1
    assert refused.stderr.splitlines() == [MIXED["two live keys"]]


def two_live_keys(home: Home) -> list[vault.Key]:
    (key,) = vault.read_keys(home.vault)
    other = vault.KeyInfo("eu", 2, "another", key.info.valid_from, None)
    return [key, vault.Key(other, *vault.pads(b"x" * 32))]


def test_a_held_warehouse_is_named_and_the_key_stays(parts: Parts, tmp_path: Path) -> None:
    """Waits as a refresh does, then changes nothing."""
    home = copy_of(parts.begun, tmp_path)
    before = vault.keys(home.vault)
    hold = (
        "import duckdb, sys, time; c = duckdb.connect(sys.argv[1]); "
        "print(1, flush=True); time.sleep(60)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", hold, str(home.warehouse)], stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout
        holder.stdout.readline()
        with pytest.raises(AssayError, match=f"held by process {holder.pid}"):
            rotate(home, wait=1)
        holder.kill()
    assert vault.keys(home.vault) == before


def test_a_home_without_a_build_gets_a_new_key(home: Home) -> None:
    """Nothing to carry over; the run is recorded, and what a killed one left aside is gone."""
    left = home.path / "vault-0123.next"
    left.write_bytes(b"keys")
    assert rotate(home, wait=1).version == 2
    assert not home.warehouse.exists()
    old, new = vault.keys(home.vault)
    assert (old.retired_at, new.retired_at) == (new.valid_from, None)
    assert home.vault.stat().st_mode & 0o777 == 0o600
    assert not left.exists()
    with bronze_reader(home) as bronze:
        assert bronze.execute("select stage, status from bronze.pipeline_runs").fetchall() == [
            ("rotate", "succeeded")
        ]
