"""How long SQLMesh and dbt take for the same five models with two checks each.

few_models.py PARQUET_FILES RUNS
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import duckdb

# Each reads those before it; the braces are where. Their first two columns are never null.
MODELS = {
    "events": """
        select
            event_id, event_type, user_id, tenant_id as brand,
            cast(occurred_at as timestamp) as occurred_at,
            cast(payload ->> 'stake_minor' as bigint) as stake,
            cast(payload ->> 'win_minor' as bigint) as win
        from read_parquet('FILES', union_by_name = true)
        qualify row_number() over (partition by event_id order by ingested_at) = 1
    """,
    "bets_hourly": """
        select
            date_trunc('hour', occurred_at) as hour, brand,
            count(*) as bets, sum(stake) as stake, sum(stake) - sum(win) as ggr
        from {events}
        where event_type = 'bet.settled'
        group by hour, brand
    """,
    "bets_daily": """
        select
            date_trunc('day', hour) as day, brand, sum(bets) as bets, sum(ggr) as ggr
        from {bets_hourly}
        group by day, brand
    """,
    "play_days": """
        select distinct user_id, cast(occurred_at as date) as day, brand from {events}
    """,
    "retention": """
        select
            firsts.first_day, date_diff('day', firsts.first_day, play_days.day) as after,
            count(distinct play_days.user_id) as players
        from {play_days} as play_days
        inner join (
            select user_id, min(day) as first_day from {play_days} group by user_id
        ) as firsts on play_days.user_id = firsts.user_id
        group by firsts.first_day, after
    """,
}
CHECKED = {
    "events": ("event_id", "event_type"),
    "bets_hourly": ("hour", "bets"),
    "bets_daily": ("day", "bets"),
    "play_days": ("user_id", "day"),
    "retention": ("first_day", "players"),
}
BIN = Path(sys.executable).parent
BUILD = [BIN / "dbt", "--quiet", "build"]
PLAN = [BIN / "sqlmesh", "plan", "--auto-apply", "--no-prompts"]
# dbt builds all again; SQLMesh has to be told, or it sees nothing to do.
RESTATED = ["--restate-model", "few.events"]  # and so all that is made of it
SILENT = {"DO_NOT_TRACK": "1", "SQLMESH__DISABLE_ANONYMIZED_ANALYTICS": "1"}


def main(files: str, runs: str) -> None:
    """Print the seconds of each tool: from nothing, and again."""
    took: dict[str, dict[str, list[float]]] = {}
    counts: dict[str, list[int]] = {}
    for tool, write, commands, schema in (
        ("dbt", _dbt, {"anew": BUILD, "again": BUILD}, "main"),
        ("sqlmesh", _sqlmesh, {"anew": PLAN, "again": [*PLAN, *RESTATED]}, "few"),
    ):
        took[tool] = {when: [] for when in commands}
        for _ in range(int(runs)):
            with tempfile.TemporaryDirectory() as folder:
                write(Path(folder), files)
                for when, command in commands.items():
                    begun = time.monotonic()
                    _run(command, Path(folder))
                    took[tool][when].append(time.monotonic() - begun)
                counts[tool] = _rows(f"{folder}/built.duckdb", schema)
    assert counts["dbt"] == counts["sqlmesh"], f"the tools do not agree: {counts}"
    print(json.dumps({**took, "rows": counts["dbt"]}))


def _dbt(folder: Path, files: str) -> None:
    (folder / "models").mkdir()
    (folder / "dbt_project.yml").write_text(
        "name: few\nversion: 1.0.0\nprofile: few\nmodels: {few: {+materialized: table}}\n"
        "flags: {send_anonymous_usage_stats: false}\n"
    )
    (folder / "profiles.yml").write_text(
        "few:\n  target: dev\n  outputs:\n    dev: {type: duckdb, path: built.duckdb, threads: 2}\n"
    )
    models = []
    for name, sql in MODELS.items():
        refs = {other: f"{{{{ ref('{other}') }}}}" for other in MODELS}
        (folder / "models" / f"{name}.sql").write_text(_sql(sql, files, refs))
        columns = [{"name": column, "data_tests": ["not_null"]} for column in CHECKED[name]]
        models.append({"name": name, "columns": columns})
    (folder / "models" / "few.yml").write_text(json.dumps({"models": models}))  # JSON is YAML


def _sqlmesh(folder: Path, files: str) -> None:
    (folder / "models").mkdir()
    (folder / "config.yaml").write_text(
        "gateways:\n  local:\n    connection:\n      type: duckdb\n      database: built.duckdb\n"
        "      concurrent_tasks: 1\n"
        "default_gateway: local\n"
        "model_defaults: {dialect: duckdb, start: '2020-01-01'}\n"
    )
    for name, sql in MODELS.items():
        refs = {other: f"few.{other}" for other in MODELS}
        (folder / "models" / f"{name}.sql").write_text(
            f"MODEL (name few.{name}, kind FULL, audits (\n"
            + ",\n".join(f"  not_null(columns := ({c}))" for c in CHECKED[name])
            + "\n));\n"
            + _sql(sql, files, refs)
        )


def _sql(sql: str, files: str, refs: dict[str, str]) -> str:
    for name, ref in refs.items():
        sql = sql.replace(f"{{{name}}}", ref)
    return sql.replace("FILES", files)


def _run(command: list[str | Path], folder: Path) -> None:
    done = subprocess.run(
        [*map(str, command)],
        cwd=folder,
        env={**os.environ, **SILENT},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.exit(f"{Path(command[0]).name}: {(done.stderr + done.stdout)[-1500:]}")


def _rows(path: str, schema: str) -> list[int]:
    with duckdb.connect(path) as connection:
        counts = [
            connection.execute(f"select count(*) from {schema}.{name}").fetchone()
            for name in MODELS
        ]
    return [count[0] for count in counts if count]


if __name__ == "__main__":
    main(*sys.argv[1:])
