"""A home that is gone is made again from bronze and a backup of its keys, as documented."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest
from conftest import DEMO_END, LONG_ALONE, MODELS_ONLY, PROJECT, run_dbt

from loaders import vault
from loaders.demo import write_demo
from loaders.home import Home, init_home
from loaders.landing.batches import land_file

pytestmark = pytest.mark.slow

EVENTS = 6_000
COMPUTED_AT = {"updated_at", "labelled_at"}
BEFORE, AFTER = re.findall(
    r"^```sh\n(.*?)^```",
    (PROJECT / "docs" / "recovery.md").read_text(encoding="utf-8"),
    re.MULTILINE | re.DOTALL,
)


def shell(commands: str, folder: Path, home: Path) -> None:
    """Run commands of the documentation in a folder. Tests of the models are run elsewhere."""
    result = subprocess.run(
        ["bash", "-euc", commands],
        cwd=folder,
        env={
            **os.environ,
            "ASSAY_HOME": str(home),
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "DBT_EXCLUDE_RESOURCE_TYPES": "test unit_test",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout[-2000:] + result.stderr[-2000:]


def rows_of(home: Home) -> dict[str, list[tuple]]:
    """Every row of gold, and of the silver that outlives a build, pseudonyms and all."""
    with duckdb.connect(str(home.warehouse), read_only=True) as warehouse:
        tables = warehouse.execute(
            "select schema_name || '.' || table_name from duckdb_tables() where "
            # what ran since, and how it is now
            "schema_name = 'gold' "
            "and table_name not in ('pipeline_health', 'system_health_hourly') "
            "or table_name like 'stg%' or table_name like '%_published_%'"
        ).fetchall()
        rows = {}
        for (table,) in tables:
            columns = [c[0] for c in warehouse.execute(f"describe {table}").fetchall()]
            kept = ", ".join(c for c in columns if c not in COMPUTED_AT)
            rows[table] = warehouse.execute(f"select {kept} from {table} order by all").fetchall()
    return rows


@pytest.fixture
def rotated(domains: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    """A home that was built of one part of the demo, and of the rest after a rotation."""
    monkeypatch.setenv("ASSAY_DOMAINS", domains)
    home = init_home(tmp_path / "home")[0]
    write_demo(tmp_path / "demo", EVENTS, 7, DEMO_END)
    files = sorted((tmp_path / "demo").glob("*attempts-0*" if domains else "*-0*"))
    late = [file for file in files if file.name.startswith(("attempts-02", "attempts-04"))]
    for part in ([file for file in files if file not in late], late):
        for file in part:
            land_file(home, file.name.partition("-")[0], file)
        run_dbt(home, "build", *MODELS_ONLY)
        if part is not late:
            vault.add_key(home.vault, "eu")
    return home


# One domain, as what is restored does not depend on which. Keys that are not restored are found
# out by whoever has the time.
@pytest.mark.parametrize(
    ("domains", "without"),
    [
        ("access", ""),
        pytest.param("", "", marks=LONG_ALONE),
        pytest.param("access", "vault restore", marks=LONG_ALONE),
    ],
)
def test_a_home_that_is_gone(domains: str, without: str, rotated: Home, tmp_path: Path):
    """Its gold and its pseudonyms are the same to the row, after a rotation of the key too."""
    home = rotated
    (tmp_path / "passphrase").write_text("correct horse battery staple\n")
    shell(BEFORE, tmp_path, home.path)
    expected, keys = rows_of(home), vault.read_keys(home.vault)
    shutil.rmtree(home.path)

    lines = [line for line in AFTER.splitlines() if not (without and without in line)]
    shell("\n".join(lines), tmp_path, home.path)
    restored = Home(tmp_path / "restored")
    found = rows_of(restored)
    assert found.keys() == expected.keys()
    differing = [table for table, rows in expected.items() if found[table] != rows]
    assert differing == [] if not without else "silver.stg_access__attempts" in differing
    assert (vault.read_keys(restored.vault) == keys) is not bool(without)
    marts = {table: len(rows) for table, rows in expected.items() if table.startswith("gold.")}
    assert len(marts) >= 9
    assert {"gold.attempts_hourly", "gold.deposit_attempts_daily"} <= {m for m in marts if marts[m]}
    assert len(expected["silver.stg_access__attempts"]) > 0.9 * EVENTS
    with duckdb.connect(str(restored.published_file), read_only=True) as published:
        for table, count in marts.items():
            assert published.execute(f"select count(*) from {table}").fetchone() == (count,)
