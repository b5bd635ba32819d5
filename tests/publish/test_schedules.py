"""examples/schedules: well formed, and each command in them, and in the docs beside, is there."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from conftest import PROJECT

from loaders.cli import main
from loaders.gold.refresh import CADENCES

SCHEDULES = PROJECT / "examples" / "schedules"
FIELDS = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7))
VERIFY = shutil.which("systemd-analyze")


def commands(text: str) -> Iterator[list[str]]:
    """The words of every `assay` command of a file, but for names that stand for something."""
    for line in text.splitlines():
        for found in re.findall(r"(?:^|[ =/`])assay ([a-z][^`]*?)(?=`| && |$)", line):
            yield shlex.split(found.replace("%i", "daily"))


def refused(words: list[str]) -> str | None:
    """Why the command line does not take these words; nothing is run."""
    command: click.Command = main
    context = click.Context(main)
    try:
        while isinstance(command, click.Group):
            name, found, words = command.resolve_command(context, words)
            assert found
            command = found
        command.make_context(name, words)
    except click.ClickException as error:
        return error.message
    return None


def scheduled() -> list[str]:
    text = (SCHEDULES / "crontab").read_text(encoding="utf-8")
    return [line for line in text.splitlines() if re.match(r"[\d*]", line)]


@pytest.mark.parametrize("path", [*sorted(SCHEDULES.iterdir())], ids=lambda path: path.name)
def test_the_commands_of_a_schedule_are_there(path: Path):
    found = [*commands(path.read_text(encoding="utf-8"))]
    assert bool(found) == (path.suffix != ".timer")
    assert {tuple(words): refused(words) for words in found if refused(words)} == {}


def test_a_command_that_is_not_there_is_seen():
    """Planted: a cadence, an option and a command that nobody has."""
    (wrong,) = commands("5 * * * * assay refresh yearly --wait 5m")
    assert refused(wrong) == "'yearly' is not one of 'hourly', 'daily', 'weekly', 'monthly'."
    (wrong,) = commands("ExecStart=/opt/assay/.venv/bin/assay refresh %i --patience 5m")
    assert "--patience" in str(refused(wrong))
    assert refused(["refrsh"])


def test_the_crontab_is_one():
    """Each cadence once, with five fields in their bounds and each percent sign escaped."""
    lines = scheduled()
    for line in lines:
        *fields, command = line.split(maxsplit=5)
        for field, (least, most) in zip(fields, FIELDS, strict=True):
            numbers = [int(number) for number in re.findall(r"\d+", field)]
            assert field == "*" or numbers, line
            assert all(least <= number <= most for number in numbers), line
        assert not re.search(r"(?<!\\)%", command), line
    assert [next(commands(line))[1] for line in lines] == [*CADENCES]


@pytest.mark.parametrize("cadence", CADENCES)
def test_the_units_are_taken_by_systemd(cadence: str, tmp_path: Path):
    """Its own check, where there is systemd; the command need not be installed there."""
    if not VERIFY:
        pytest.skip("no systemd here")
    for path in SCHEDULES.glob("*.[st]*"):
        text = path.read_text(encoding="utf-8")
        (tmp_path / path.name).write_text(text.replace("/opt/assay/.venv/bin/assay", "/bin/true"))
    units = [f"assay-refresh@{cadence}.timer", "assay-rounds.service"]
    assert verified(tmp_path, *units) == ""
    timer = tmp_path / "assay-refresh@.timer"
    timer.write_text(timer.read_text().replace("OnCalendar=", "OnCalendar=every "))
    assert "calendar" in verified(tmp_path, *units)


def verified(folder: Path, *units: str) -> str:
    """What systemd says about units of ours."""
    command = [str(VERIFY), "verify", "--man=no", *(str(folder / unit) for unit in units)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return "".join(line for line in done.stderr.splitlines() if "assay" in line)


def test_the_docs_show_the_lines_of_the_schedules():
    """One place per fact: what the page shows is in the file."""
    page = (PROJECT / "docs" / "operations.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"^```crontab\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    assert set(block.splitlines()) <= set(scheduled())
    named = set(re.findall(r"examples/schedules/([\w@.-]+)", page))
    there = {path.name for path in SCHEDULES.iterdir()}
    assert {name.rstrip(".") for name in named} - {"assay-refresh@"} <= there
