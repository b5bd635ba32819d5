"""docs/questions.md names only what is there: marts, bronze tables, their columns, commands."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest
import yaml
from conftest import PROJECT

from loaders.cli import main
from loaders.contracts import load_contracts
from loaders.reports.declared import read_reports

TEXT = (PROJECT / "docs" / "questions.md").read_text(encoding="utf-8")
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in TEXT.splitlines()
    if re.match(r"\| S\d-", line)
]
# Requirements by section of the page: source, and the numbers in it.
REGISTRATION = {"S3": range(1, 35)}
EVENTS = {
    "S0": [*range(7, 18), *range(28, 38), *range(39, 43), *range(44, 50), 53, 57],
    "S2": [*range(8, 17), *range(20, 25), *range(28, 41), 42, 59, 65],
}
CLAIMS = {"S1": [2, 6, 8, 9, 12, *range(17, 40), *range(41, 44), *range(45, 51), 52, 55, 56]}
DECISIONS = {"S1": [3], "S4": [*range(1, 50), 59, 60, 63, *range(67, 73), 74, 75]}
METRICS = {"S0": [18, 19, 20, 23, 24, 25, 27], "S2": [5, 70, 71]}
PLATFORM = {"S1": [4, 5, 44], "S2": [51, 56], "S4": [*range(50, 59), 76, 77]}
NAMED = re.compile(r"`([^`]+)`(:)?")
LINKED = re.compile(r"\[(\w+)\]\(\.\./(analyses/[^)]+)\)")
REPORTS = {report.name for report in read_reports()}
ANALYSES = {str(path.relative_to(PROJECT)) for path in (PROJECT / "analyses").rglob("*.sql")}


def columns_of(path: Path) -> dict[str, set[str]]:
    """Columns of the models that a yml describes."""
    document = yaml.safe_load(path.read_text(encoding="utf-8"))
    return {m["name"]: {c["name"] for c in m["columns"]} for m in document["models"]}


MARTS = {
    name: columns
    for path in (PROJECT / "models").glob("gold*/**/*.yml")
    for name, columns in columns_of(path).items()
}
BRONZE = {
    table: {column.name for column in contract.columns}
    for table, contract in load_contracts().items()
}


def commands(group: click.Group = main) -> list[click.Command]:
    """Every command there is, those of groups too."""
    inner = [commands(c) for c in group.commands.values() if isinstance(c, click.Group)]
    return [*group.commands.values(), *(command for each in inner for command in each)]


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
            parts = set(command.commands) if isinstance(command, click.Group) else set()
            parts |= REPORTS if known[0] == "report" else set()
            if command is None or (known[1:] and known[1] not in parts):
                found.append(name)
        elif name.startswith("--"):
            options = {o for command in commands() for p in command.params for o in p.opts}
            if name not in options:
                found.append(name)
        elif name in tables:
            columns = tables[name] if has_columns else set()
        elif name not in columns:
            found.append(name)
    links = LINKED.findall(answer)
    return found + [path for name, path in links if path not in ANALYSES or Path(path).stem != name]


def test_every_requirement_has_a_row() -> None:
    assert [row[0] for row in ROWS] == [
        f"{source}-{number:02}"
        for section in (REGISTRATION, EVENTS, CLAIMS, DECISIONS, METRICS, PLATFORM)
        for source, numbers in section.items()
        for number in numbers
    ]


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


def test_every_analysis_answers_something() -> None:
    """Each is linked, and by the row of the requirement that its first line names."""
    by_row = {row[0]: {path for _, path in LINKED.findall(row[2])} for row in ROWS}
    for path in sorted(ANALYSES):
        (first, *_) = (PROJECT / path).read_text(encoding="utf-8").splitlines()
        asked = re.findall(r"S\d-\d\d", first)
        assert asked and all(path in by_row[requirement] for requirement in asked), path
    assert set().union(*by_row.values()) == ANALYSES


def test_a_name_that_is_not_there_is_seen() -> None:
    """The check can fail: a mart, column, table, command, option and query that nobody made."""
    assert faults("`assay land`: `--fly`") == ["--fly"]
    assert faults("[fly](../analyses/access/fly.sql)") == ["analyses/access/fly.sql"]
    assert faults("`attempts_yearly`: `errors`") == ["attempts_yearly", "errors"]
    assert faults("`attempts_hourly`: `visitors`") == ["visitors"]
    assert faults("bronze `attempts_hourly`: `errors`") == ["attempts_hourly", "errors"]
    assert faults("`attempts_hourly` has `errors`") == ["errors"]
    assert faults("`assay fly`, `assay vault fly`") == ["assay fly", "assay vault fly"]
    assert faults("`assay report fly`") == ["assay report fly"]
