"""The commands of docs/reports.md work as they stand, and the page names every report and code."""

from __future__ import annotations

import csv
import re
import shlex
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner
from conftest import PROJECT
from published import published

from loaders.cli import main
from loaders.home import Home
from loaders.reports import errors
from loaders.reports.declared import read_reports

__all__ = ["published"]  # a fixture

TEXT = (PROJECT / "docs" / "reports.md").read_text(encoding="utf-8")
(BLOCK,) = re.findall(r"^```sh\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
REPORTS = {report.name: report for report in read_reports()}


@pytest.mark.parametrize("line", BLOCK.splitlines())
def test_a_command_works(
    line: str, published: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """It exits with 0, and writes the file that it names."""
    home = shutil.copytree(published.path, tmp_path / "home", symlinks=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ASSAY_HOME", str(home))
    words = shlex.split(line)[1:]
    done = CliRunner().invoke(main, words)
    assert done.exit_code == 0, done.output
    if "--output" in words:
        assert (tmp_path / words[words.index("--output") + 1]).stat().st_size > 0


def test_a_challenge_is_a_filter(published: Home, tmp_path: Path):
    """Of every report that is about challenges: the same as the column that the page names."""
    home = shutil.copytree(published.path, tmp_path / "home", symlinks=True)
    (column,) = re.findall(r"^\| `--challenge ID` \| the same as `--where (\w+)=ID`", TEXT, re.M)
    about = {name: r.tables[0] for name, r in REPORTS.items() if column in r.filters}
    assert {"challenge", "challenge_performance"} <= about.keys()
    for name, table in about.items():
        command = ["report", name, "--home", str(home), "--format", "csv", "--table", table.name]
        given = [
            CliRunner().invoke(main, [*command, *words]).stdout
            for words in (["--challenge", "challenge-b"], ["--where", f"{column}=challenge-b"])
        ]
        assert given[0].count("\n") > 1
        assert given[0] == given[1]
        assert not re.search("challenge-[ac]", given[0])
    rows = CliRunner().invoke(main, [*command, "--challenge", "no_such_challenge"]).stdout
    assert rows.count("\n") == 1


def test_the_page_names_every_report_with_its_periods():
    rows = re.findall(r"^\| `(\w+)` \| [^|]* \| ([\w, ]+) \|$", TEXT, re.MULTILINE)
    assert dict(rows) == {name: ", ".join(report.periods) for name, report in REPORTS.items()}


def test_the_page_and_the_seed_have_every_code():
    codes = {getattr(errors, name) for name in vars(errors) if name.isupper()}
    assert codes == set(re.findall(r"^\| `([A-Z_]+)` \|", TEXT, re.MULTILINE))
    with (PROJECT / "seeds" / "error_codes.csv").open(encoding="utf-8", newline="") as seed:
        assert codes <= {row["code"] for row in csv.DictReader(seed) if row["stage"] == "api"}
