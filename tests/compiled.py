"""SQL of the project as dbt compiles it, for tests that run it on data of their own."""

from __future__ import annotations

import json
import re
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import duckdb
from conftest import run_dbt

from loaders.home import Home, connect, init_home, quote

_MARK = "-- fragment: "
_FOLDER = tempfile.TemporaryDirectory(prefix="compiled-")


@cache
def _home() -> Home:
    """One home in which nothing is ever built."""
    return init_home(Path(_FOLDER.name) / "home")[0]


def compile_inline(**fragments: str) -> dict[str, str]:
    """Compile pieces of SQL with Jinja, all in one run of dbt."""
    text = "\n".join(f"{_MARK}{name}\n{sql}" for name, sql in fragments.items())
    printed = run_dbt(_home(), "--quiet", "compile", "--inline", text).stdout
    compiled = dict(re.findall(rf"{_MARK}(\w+)\n(.*?)(?=\n{_MARK}|\Z)", printed, re.DOTALL))
    assert list(compiled) == list(fragments), printed
    return compiled


def compile_refused(sql: str) -> str:
    """What dbt says about a piece of SQL that must not compile."""
    result = run_dbt(_home(), "compile", "--inline", sql, check=False)
    assert result.returncode != 0, result.stdout
    return result.stdout


def compile_models(select: str, **variables: str) -> dict[str, Any]:
    """Nodes of the manifest, compiled as for a first build."""
    given = ["--vars", json.dumps(variables)] if variables else []
    run_dbt(_home(), "compile", "--select", select, *given, DBT_WRITE_JSON="true")
    path = _home().path / "target" / "manifest.json"
    nodes = json.loads(path.read_text(encoding="utf-8"))["nodes"]
    return {node["name"]: node for node in nodes.values() if node["resource_type"] == "model"}


def sandbox(home: Home | None = None) -> duckdb.DuckDBPyConnection:
    """An empty database that knows the contracts' type names, with the vault of a home."""
    connection = connect()
    connection.execute("create type float64 as double")
    connection.execute("create type bytes as blob")
    if home is not None:
        connection.execute(f"attach {quote(str(home.vault))} as vault (read_only)")
    return connection
