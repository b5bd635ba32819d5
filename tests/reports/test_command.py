"""`assay report`: what it gives, what it says when it cannot, and the audit log first."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml
from click.testing import CliRunner
from made_up import PARTNER
from published import published

from loaders import audit
from loaders.cli import main
from loaders.errors import AssayError
from loaders.home import Home, bronze_reader, init_home
from loaders.identity import system_user
from loaders.permissions import FILE
from loaders.reports.asked import asked
from loaders.reports.declared import report_of
from loaders.reports.errors import ReportError
from loaders.reports.export import export, give
from loaders.reports.figures import make

__all__ = ["published"]  # a fixture

ASSAY = Path(sys.executable).with_name("assay")
NOBODY = 65534


@pytest.fixture
def home(published: Home, tmp_path: Path) -> Home:
    """The published home with an audit log of its own, from which ada may export too."""
    return of_ada(Home(Path(shutil.copytree(published.path, tmp_path / "home", symlinks=True))))


def of_ada(home: Home) -> Home:
    """A home that she may export from."""
    may = yaml.safe_dump({"may": {"export": ["ada", system_user()]}})
    (home.path / FILE).write_text(may, encoding="utf-8")
    return home


def report(home: Home, *arguments: object) -> subprocess.CompletedProcess[bytes]:
    """The command, in this process: a new one takes a second to begin."""
    words = ["report", *map(str, arguments), "--home", str(home.path)]
    done = CliRunner(env={"ASSAY_USER": "ada"}).invoke(main, words)
    return subprocess.CompletedProcess(words, done.exit_code, done.stdout_bytes, done.stderr_bytes)


def log_of(home: Home) -> list[dict[str, Any]]:
    with bronze_reader(home, "audit_log") as bronze:
        found = bronze.sql("select * from bronze.audit_log order by sequence")
        return list(found.to_arrow_table().to_pylist())


def test_each_export_is_in_the_audit_log(home: Home, tmp_path: Path):
    """Who, what was asked, format, rows, bytes, and of which release: for every format."""
    wanted = ["registration_funnel", "--where", "domain=play.example", "--from", "2026-04-01"]
    written = {}
    for kind in ("json", "csv", "parquet", "html"):
        file = tmp_path / f"out.{kind}"
        done = report(home, *wanted, "--format", kind, "--output", file)
        assert done.returncode == 0, done.stderr
        assert done.stdout.decode() == f"Wrote out.{kind}: 59 rows of release r1.\n"
        written[kind] = file.read_bytes()
    assert len(json.loads(written["json"])["tables"][0]["rows"]) == 59
    assert len(list(csv.reader(io.StringIO(written["csv"].decode())))) == 60
    assert pq.read_table(tmp_path / "out.parquet").num_rows == 59
    assert written["html"].startswith(b"<!doctype html>")
    entries = log_of(home)
    assert [entry["export_format"] for entry in entries] == list(written)
    for entry in entries:
        assert (entry["action"], entry["user_id"]) == ("export", "ada")
        assert entry["export_size"] == 59
        asked_for = json.loads(entry["query_params"])
        assert asked_for["report"] == "registration_funnel"
        assert asked_for["where"] == {"domain": "play.example"}
        assert asked_for["from"] == ["2026-04-01"]
        summary = json.loads(entry["result_summary"])
        assert summary["record_count"] == 59
        assert summary["bytes"] == len(written[entry["export_format"]])
        lineage = json.loads(entry["lineage"])
        assert lineage["data_source"] == "release r1"
        assert lineage["output"] == f"out.{entry['export_format']}"
    assert audit.verify(home).problems == []


def test_standard_output_has_the_report_alone(home: Home):
    """So that it can be piped; --json needs a file, since it says what was written there."""
    command = [ASSAY, "report", "mistyped_mail_domains", "--format", "csv", "--home", home.path]
    done = subprocess.run(command, capture_output=True, check=True)
    assert done.stdout.startswith(b"period_start,typed_domain,")
    assert done.stderr == b""
    assert json.loads(log_of(home)[0]["lineage"])["output"] == "standard output"
    assert report(home, "mistyped_mail_domains", "--json").returncode == 2


def test_json_says_what_was_written(home: Home, tmp_path: Path):
    done = report(home, "mistyped_mail_domains", "--output", tmp_path / "x", "--json")
    facts = json.loads(done.stdout)
    assert (facts["report"], facts["format"], facts["output"]) == (
        *("mistyped_mail_domains", "json", "x"),
    )
    assert facts["rows"] == 48
    assert facts["bytes"] == (tmp_path / "x").stat().st_size
    assert facts["audit_id"] == log_of(home)[0]["id"]


def test_the_list_needs_no_home(tmp_path: Path):
    """Every report with its periods and filters."""
    done = report(Home(tmp_path / "nowhere"), "--list")
    assert done.returncode == 0
    lines = done.stdout.decode().splitlines()
    assert lines[0] == (
        "access_overview  Access overview; by day, week, month; filters: domain, action, country"
    )
    told = json.loads(report(Home(tmp_path / "nowhere"), "--list", "--json").stdout)
    assert [one["name"] for one in told["reports"]] == [line.split()[0] for line in lines]


NO_PARTNER = (
    "METRIC_NOT_FOUND: nothing is published for a partner of that slug. Take one of "
    "seeds/partners.csv; one that is new there is published by: assay refresh"
)
REFUSED: dict[str, tuple[list[str], str]] = {
    "no such report": (["acess"], "METRIC_NOT_FOUND: no report of that name. There are: access_o"),
    "no such period": (
        ["registration_funnel", "--period", "week"],
        "PERIOD_INVALID: registration_funnel has no such period. Choose one of: day.",
    ),
    "no day": (
        ["access_overview", "--from", "yesterday"],
        "PERIOD_INVALID: --from is no day. Give it as 2026-05-31, in UTC.",
    ),
    "no day of the calendar": (
        ["access_overview", "--to", "2026-02-30"],
        "PERIOD_INVALID: --to is no day. Give it as 2026-05-31, in UTC.",
    ),
    "days in the wrong order": (
        ["access_overview", "--from", "2026-05-02", "--to", "2026-05-01"],
        "PERIOD_INVALID: --to is before --from. Give the earlier day as --from.",
    ),
    "no such filter": (
        ["access_overview", "--where", "email=ada@mail.example"],
        "ANALYTICS_QUERY_FAILED: access_overview cannot be filtered by that column. It can by: "
        "domain, action, country.",
    ),
    "a challenge where there is none": (
        ["access_overview", "--challenge", "c-1"],
        "ANALYTICS_QUERY_FAILED: access_overview is not about challenges. Leave --challenge out.",
    ),
    "no challenge where there must be one": (
        ["challenge"],
        "ANALYTICS_QUERY_FAILED: challenge is about one challenge. Name it: --where "
        "challenge=VALUE",
    ),
    "no partner where there must be one": (
        ["partner_fraud"],
        "ANALYTICS_QUERY_FAILED: partner_fraud is about one partner. Name it: --partner SLUG",
    ),
    "a partner where there is none": (
        ["access_overview", "--partner", "partner-a"],
        "ANALYTICS_QUERY_FAILED: access_overview is of no partner. Leave --partner out.",
    ),
    "a partner that is none": (["partner-fraud", "--partner", "ada@mail.example"], NO_PARTNER),
    "a partner of whom nothing is published": (
        ["partner-fraud", "--partner", "partner-b"],
        NO_PARTNER,
    ),
    "a partner that leads elsewhere": (["partner-fraud", "--partner", "../published"], NO_PARTNER),
    "no filter at all": (
        ["access_overview", "--where", "ada@mail.example"],
        "ANALYTICS_QUERY_FAILED: --where takes COLUMN=VALUE. Write it so.",
    ),
    "a table too many": (
        ["access_overview", "--format", "csv"],
        "REPORT_GENERATION_ERROR: csv has one table, and access_overview has requests, "
        "response_times. Name one: --table NAME",
    ),
    "no such table": (
        ["access_overview", "--table", "x"],
        "METRIC_NOT_FOUND: no such table. There are: requests, response_times.",
    ),
    "nowhere to write": (
        ["access_overview", "--output", "/nowhere/x.json"],
        "REPORT_GENERATION_ERROR: /nowhere/x.json could not be written (FileNotFoundError). "
        "Make room, or name another file as --output.",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_given_is_said_in_one_line(home: Home, case: str):
    """The code, what is wrong and what to do; no value that somebody typed, and exit code 1."""
    arguments, expected = REFUSED[case]
    done = report(home, *arguments)
    said = done.stderr.decode()
    assert done.returncode == 1
    assert done.stdout == b""
    assert said.startswith(expected), said
    assert said.count("\n") == 1
    assert "mail.example" not in said
    assert len(log_of(home)) == (case == "nowhere to write")


def test_a_report_of_a_partner_is_of_its_own_file(home: Home, tmp_path: Path):
    """It needs no other, says whose it is, and so does the audit log. A hyphen is an underscore."""
    shutil.rmtree(home.published)
    wanted = ["partner-fraud", "--partner", PARTNER, "--output", tmp_path / "out"]
    assert report(home, *wanted).returncode == 0
    told = json.loads((tmp_path / "out").read_bytes())
    assert (told["report"], told["partner"], told["release_id"]) == ("partner_fraud", PARTNER, "p1")
    days = report(home, *wanted, "--format", "parquet", "--table", "days")
    assert days.returncode == 0, days.stderr
    assert pq.read_schema(tmp_path / "out").metadata[b"partner"] == PARTNER.encode()
    for entry in log_of(home):
        assert json.loads(entry["query_params"])["partner"] == PARTNER
        assert json.loads(entry["lineage"])["data_source"] == "release p1"


def test_a_home_without_a_release_says_so(tmp_path: Path):
    done = report(of_ada(init_home(tmp_path / "new")[0]), "access_overview")
    assert done.stderr.decode() == (
        "REPORT_GENERATION_ERROR: nothing is published yet. Run: assay refresh\n"
    )


def test_nothing_is_given_out_that_the_audit_log_lacks(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfdbinary: Any
):
    """The planted fault: a log that cannot be written. Neither a file nor a byte appears."""

    def full(*_: object, **__: object) -> None:
        raise AssayError("the disk is full")

    monkeypatch.setattr(audit, "append", full)
    wanted = report_of("registration_funnel")
    for output in (tmp_path / "out.json", None):
        with pytest.raises(AssayError, match="the disk is full"):
            export(home, wanted, asked(wanted), "json", output)
    assert not list(tmp_path.glob("out.*"))
    assert capfdbinary.readouterr().out == b""


def test_a_file_is_replaced_whole_or_not_at_all(home: Home, tmp_path: Path):
    """What was there stays until the new one is complete, and nothing is left beside it."""
    file = tmp_path / "out.csv"
    file.write_text("before")
    assert report(home, "access_overview", "--format", "csv", "--output", file).returncode == 1
    assert file.read_text() == "before"
    kind = ("--format", "csv", "--table", "requests")
    assert report(home, "access_overview", *kind, "--output", file).returncode == 0
    assert file.read_text().startswith("period_start,attempts,errors,error_rate")
    assert [path.name for path in tmp_path.glob("out*")] == ["out.csv"]


def as_nobody(work: Callable[[], object]) -> str:
    """What somebody hears who has no rights here."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            if os.getuid() == 0:
                os.setgid(NOBODY)
                os.setuid(NOBODY)
            work()
        except ReportError as error:
            os.write(writing, str(error).encode())
        except BaseException as error:
            os.write(writing, f"{type(error).__name__}: {error}".encode())
        finally:
            os._exit(0)  # else two processes would go on with the tests
    os.close(writing)
    os.waitpid(child, 0)
    with os.fdopen(reading) as said:
        return said.read()


def test_who_may_not_read_is_told_so(home: Home):
    """By the code for it, whatever it is that may not be read."""
    wanted = report_of("registration_funnel")
    made = asked(wanted)
    files = home.published / "releases" / "shape" / "r1"
    for closed in (files / "registration_funnel_daily.parquet", files, home.path):
        mode = closed.stat().st_mode
        closed.chmod(0)
        try:
            said = as_nobody(lambda: make(home, wanted, made))
        finally:
            closed.chmod(mode)
        assert said.startswith("PERMISSION_DENIED: you may not read what is published in "), closed
        assert said.endswith("Ask whose home it is.")


def test_who_may_not_write_is_told_so(tmp_path: Path):
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o500)
    output = closed / "out.json"
    assert as_nobody(lambda: give(b"x", output)) == (
        f"PERMISSION_DENIED: you may not write {output}. Name another file as --output."
    )


def test_a_page_without_the_library_says_how_to_get_it(
    home: Home, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    """And the other formats need none."""
    monkeypatch.setitem(sys.modules, "vl_convert", None)
    wanted = report_of("registration_funnel")
    with pytest.raises(ReportError, match=r"pip install 'assay-lakehouse\[report\]'"):
        export(home, wanted, asked(wanted), "html", tmp_path / "out.html")
    assert export(home, wanted, asked(wanted), "csv", tmp_path / "out.csv").rows > 0
    assert [entry["export_format"] for entry in log_of(home)] == ["csv"]
