"""docs/questions.md names only what is there: marts, bronze tables, their columns, commands."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from conftest import PROJECT

from loaders.cli import main
from loaders.contracts import load_contracts

TEXT = (PROJECT / "docs" / "questions.md").read_text(encoding="utf-8")
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in TEXT.splitlines()
    if line.startswith("| S3-")
]
NAMED = re.compile(r"`([^`]+)`(:)?")


def columns_of(path: Path) -> dict[str, set[str]]:
    """Columns of the models that a yml describes."""
    document = yaml.safe_load(path.read_text(encoding="utf-8"))
    return {m["name"]: {c["name"] for c in m["columns"]} for m in document["models"]}


MARTS = {
    name: columns
    for path in (PROJECT / "models" / "gold").rglob("*.yml")
    for name, columns in columns_of(path).items()
}
BRONZE = {
    table: {column.name for column in contract.columns}
    for table, contract in load_contracts().items()
}


def faults(answer: str) -> list[str]:
    """What an answer names that is not there. A name before a colon is that of a table."""
    found: list[str] = []
    columns: set[str] = set()
    for part in NAMED.finditer(answer):
        name, has_columns = part.groups()
        of_bronze = answer[: part.start()].endswith(("bronze ", "bronze `attempts` and "))
        tables = BRONZE if of_bronze else MARTS
        if name.startswith("assay "):
            known = name.removeprefix("assay ").split()
            command = main.commands.get(known[0])
            if command is None or (known[1:] and known[1] not in command.commands):
                found.append(name)
        elif name in tables:
            columns = tables[name] if has_columns else set()
        elif name not in columns:
            found.append(name)
    return found


def test_every_requirement_has_a_row() -> None:
    assert [row[0] for row in ROWS] == [f"S3-{number:02}" for number in range(1, 35)]


@pytest.mark.parametrize("row", ROWS, ids=[row[0] for row in ROWS])
def test_a_row_names_only_what_is_there(row: list[str]) -> None:
    """And something at all, or says that it comes later."""
    _, _, answer = row
    assert faults(answer) == []
    assert "`" in answer or "later" in answer


def test_every_mart_answers_something() -> None:
    """A mart that nobody asked for would be one too many."""
    named = {name for row in ROWS for name, _ in NAMED.findall(row[2])}
    assert set(MARTS) - named == set()


def test_a_name_that_is_not_there_is_seen() -> None:
    """The check can fail: a mart, a column, a table and a command that nobody made."""
    assert faults("`attempts_yearly`: `errors`") == ["attempts_yearly", "errors"]
    assert faults("`attempts_hourly`: `visitors`") == ["visitors"]
    assert faults("bronze `attempts_hourly`: `errors`") == ["attempts_hourly", "errors"]
    assert faults("`attempts_hourly` has `errors`") == ["errors"]
    assert faults("`assay fly`, `assay vault fly`") == ["assay fly", "assay vault fly"]
