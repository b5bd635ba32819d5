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
from conftest import PROJECT, Demo, run_dbt

from loaders import vault
from loaders.home import Home

pytestmark = pytest.mark.slow

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
            "schema_name = 'gold' or table_name like 'stg%' or table_name like '%_published_%'"
        ).fetchall()
        rows = {}
        for (table,) in tables:
            columns = [c[0] for c in warehouse.execute(f"describe {table}").fetchall()]
            kept = ", ".join(c for c in columns if c not in COMPUTED_AT)
            rows[table] = warehouse.execute(f"select {kept} from {table} order by all").fetchall()
    return rows


# Keys that are not restored must be found out; that takes a build more.
WITHOUT = ["", *(["vault restore"] if os.environ.get("ASSAY_LONG") == "1" else [])]


@pytest.mark.parametrize("without", WITHOUT)
def test_a_home_that_is_gone(without: str, demo: Demo, tmp_path: Path):
    """Its gold and its pseudonyms are the same to the row, after a rotation of the key too."""
    home = Home(shutil.copytree(demo.home.path, tmp_path / "home"))
    vault.add_key(home.vault, "eu")
    run_dbt(home, "run")
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
    # Of games so few are played that no hour of one is told beside its day; nothing was released.
    empty = {table for table, count in marts.items() if not count}
    assert empty <= {"gold.gaming_cube_hourly", "gold.public_claim_report"}
    assert len(expected["silver.stg_access__attempts"]) > 30_000
    with duckdb.connect(str(restored.published_file), read_only=True) as published:
        for table, count in marts.items():
            assert published.execute(f"select count(*) from {table}").fetchone() == (count,)
