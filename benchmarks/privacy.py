"""What privacy costs: a pseudonym per identifier, and the guards of a build.

    python benchmarks/privacy.py [EVENTS]

Hashes EVENTS identifiers as the macro `pseudonymize` does, with one key of the vault and with two,
beside DuckDB's plain sha256. Then lands EVENTS attempts, builds the marts of access, and times all
of dbt's tests of privacy over them. Ratios are of one run.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from loaders import vault
from loaders.demo import write_demo
from loaders.home import Home, init_home, quote
from loaders.landing.batches import land_file
from loaders.project import PROJECT

TIMES = 3
GUARDS = [
    "amounts_have_people",
    "blocks_pass",
    "cells_have_people",
    "day_grain",
    "k_anonymous",
    "no_pii_columns",
    "none_or_enough",
    "one_key",
    "percentiles_have_people",
]


def main(events: int = 1_000_000) -> None:
    """Measure, and print."""
    os.environ["ASSAY_DOMAINS"] = "access"
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder)
        home, _ = init_home(base / "home")
        plain = _hashed(home, events, "sha256(cast(id as varchar))")
        print(f"{events:,} identifiers: sha256 {plain:.2f} s", flush=True)
        for keys in (1, 2):
            if keys > 1:
                vault.add_key(home.vault, home.residency)
            seconds = _hashed(home, events, _pseudonym(home))
            each = 1e6 * seconds / events
            print(
                f"  pseudonyms of {keys} keys {seconds:.2f} s, {each:.2f} us each, "
                f"{seconds / plain:.1f} times sha256",
                flush=True,
            )
        home, _ = init_home(base / "built")
        write_demo(base / "demo", events, 7, datetime(2026, 6, 1, tzinfo=UTC))
        for file in sorted((base / "demo").glob("attempts-*")):
            land_file(home, "attempts", file)
        _dbt(home, "seed")
        models, _ = _dbt(home, "run")
        guards, slowest = _dbt(home, "test", "--select", *(f"test_name:{g}" for g in GUARDS))
        print(f"{events:,} attempts: models {models:.1f} s, guards {guards:.1f} s of statements")
        for name, seconds in slowest:
            print(f"  {seconds:6.1f} s  {name}")


def _hashed(home: Home, events: int, expression: str) -> float:
    """Seconds for that many identifiers, the best of some tries."""
    seconds = []
    with duckdb.connect() as connection:
        connection.execute(f"attach {quote(str(home.vault))} as vault (read_only)")
        connection.execute(
            "create table ids as select 'C' || lpad(n::varchar, 9, '0') as id "
            f"from range({events}) _(n)"
        )
        for _ in range(TIMES):
            began = time.monotonic()
            connection.execute(f"create or replace table hashed as select {expression} from ids")
            seconds.append(time.monotonic() - began)
    return min(seconds)


def _pseudonym(home: Home) -> str:
    """The expression that dbt compiles; the key is not in it."""
    macro = "{{ pseudonymize('id', 'bench.id') }}"
    said = _run(home, "compile", "--quiet", "--output", "json", "--inline", macro)
    return str(json.loads(said)["compiled"])


def _dbt(home: Home, *command: str) -> tuple[float, list[tuple[str, float]]]:
    """Run dbt. Returns the seconds of its nodes, and the five that took longest."""
    _run(home, *command)
    results = json.loads((home.path / "target" / "run_results.json").read_bytes())["results"]
    seconds = {str(r["unique_id"]).split(".")[2]: float(r["execution_time"]) for r in results}
    slowest = sorted(seconds.items(), key=lambda item: -item[1])[:5]
    return sum(seconds.values()), slowest


def _run(home: Home, *command: str) -> str:
    environment = {
        "ASSAY_HOME": str(home.path),
        "DBT_TARGET_PATH": str(home.path / "target"),
        "DBT_LOG_PATH": str(home.path / "logs"),
    }
    done = subprocess.run(
        [Path(sys.executable).with_name("dbt"), *command],
        cwd=PROJECT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.exit(done.stdout[-2000:] + done.stderr[-2000:])
    return done.stdout


if __name__ == "__main__":
    main(*(int(number) for number in sys.argv[1:]))
