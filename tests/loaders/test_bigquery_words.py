"""What BigQuery says, in Assay's words: one line that says what to do, and no value of an event."""

from __future__ import annotations

import builtins
import json
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from conftest import PROJECT
from google.api_core import exceptions
from google.auth import exceptions as auth_exceptions
from google.cloud import bigquery
from google.cloud.bigquery_storage_v1 import types
from google.protobuf.any_pb2 import Any as Detail
from samples import MARK

from loaders.cli import main
from loaders.contracts import load_contracts
from loaders.errors import AssayError
from loaders.home import Home, Target, init_home, mark_home
from loaders.sinks.bigquery import schemas
from loaders.sinks.bigquery.errors import Call, answered, has_ended, is_passing, is_transient

CALL = Call(
    "table eu_bronze.attempts", "roles/bigquery.dataEditor on eu_bronze", "Nothing is lost."
)
TARGET = Target("a-project", "assay_eu", "europe-west1")


def refusal(kind: Any, reason: str, text: str) -> exceptions.GoogleAPICallError:
    """What Google's client raises, with a value of an event in its text."""
    return kind(f"{text} {MARK}", errors=[{"reason": reason, "message": f"{text} {MARK}"}])


def of_stream(kind: Any, code: str, wrong_rows: int = 0) -> exceptions.GoogleAPICallError:
    """What the Storage Write API answers, with a value of an event in its texts."""
    known = types.StorageError.StorageErrorCode[code]
    detail = Detail()
    detail.Pack(types.StorageError.pb(types.StorageError(code=known, error_message=MARK)))
    rows = [types.RowError(index=n, message=MARK) for n in range(wrong_rows)]
    return kind(MARK, details=[detail], response=types.AppendRowsResponse(row_errors=rows))


def said(error: Exception) -> str:
    with pytest.raises(AssayError) as raised, answered(CALL):
        raise error
    line = str(raised.value)
    assert "\n" not in line
    assert MARK not in line
    assert line.startswith("BigQuery, table eu_bronze.attempts: ")
    assert line.endswith("Nothing is lost.")
    return line


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (auth_exceptions.DefaultCredentialsError("none"), ["no Google credentials", "gcloud auth"]),
        (auth_exceptions.RefreshError("expired"), ["expired", "gcloud auth"]),
        (refusal(exceptions.Unauthorized, "authError", "Invalid"), ["not accepted", "gcloud auth"]),
        (
            refusal(exceptions.Forbidden, "accessDenied", "Permission bigquery.tables.updateData"),
            ["permission denied (bigquery.tables.updateData)", CALL.role],
        ),
        (
            refusal(exceptions.Forbidden, "accessDenied", "lacks bigquery.jobs.create permission"),
            ["roles/bigquery.jobUser on the project"],
        ),
        (refusal(exceptions.Forbidden, "quotaExceeded", "Quota"), ["quota", "Wait"]),
        (refusal(exceptions.TooManyRequests, "rateLimitExceeded", "Rate"), ["quota", "Wait"]),
        (
            refusal(exceptions.NotFound, "notFound", "Not found: Table p:d_bronze.t was not found"),
            ["table p:d_bronze.t is not there", "assay init --bigquery"],
        ),
        (
            refusal(
                exceptions.BadRequest, "invalid", "Cannot read and write in different locations"
            ),
            ["not in one location", "seeds/residencies.csv"],
        ),
        (
            refusal(exceptions.BadRequest, "invalid", "Field status has changed type"),
            ["schema drift, column status", "assay init --bigquery"],
        ),
        (refusal(exceptions.BadRequest, "invalid", "Could not parse"), ["refused (invalid"]),
        (refusal(exceptions.ServiceUnavailable, "backendError", "x"), ["cannot be reached"]),
        (
            exceptions.RetryError(
                "late", refusal(exceptions.ServiceUnavailable, "backendError", "")
            ),
            ["cannot be reached (backendError"],
        ),
        (
            exceptions.RetryError("late", refusal(exceptions.Forbidden, "rateLimitExceeded", "")),
            ["quota"],
        ),
        (
            of_stream(exceptions.PermissionDenied, "TABLE_NOT_FOUND"),
            ["permission denied (PermissionDenied", CALL.role],
        ),
        (
            of_stream(exceptions.InvalidArgument, "SCHEMA_MISMATCH_EXTRA_FIELDS"),
            ["schema drift", "assay init --bigquery", "after minutes"],
        ),
        (
            of_stream(exceptions.InvalidArgument, "STORAGE_ERROR_CODE_UNSPECIFIED", wrong_rows=7),
            ["7 rows are not what the table takes", "models/bronze"],
        ),
        (of_stream(exceptions.ResourceExhausted, "KMS_SERVICE_ERROR"), ["quota", "Wait"]),
        (
            exceptions.ServiceUnavailable(
                f"Getting metadata from plugin failed with error: {MARK}"
            ),
            ["no token is given", "gcloud auth"],
        ),
        (ConnectionResetError(MARK), ["cannot be reached"]),
        (TimeoutError(MARK), ["cannot be reached"]),
    ],
)
def test_each_kind_of_failure_says_what_to_do(error: Exception, words: list[str]):
    line = said(error)
    assert [word for word in words if word not in line] == []


def test_only_what_may_pass_by_itself_is_transient():
    assert is_transient(refusal(exceptions.ServiceUnavailable, "backendError", ""))
    assert is_transient(refusal(exceptions.Forbidden, "rateLimitExceeded", ""))
    assert not is_transient(refusal(exceptions.Forbidden, "quotaExceeded", ""))
    assert not is_transient(refusal(exceptions.BadRequest, "invalid", ""))


@pytest.mark.parametrize(
    ("error", "passes", "ends"),
    [
        (of_stream(exceptions.Aborted, "STORAGE_ERROR_CODE_UNSPECIFIED"), True, False),
        (of_stream(exceptions.Cancelled, "STORAGE_ERROR_CODE_UNSPECIFIED"), True, False),
        (of_stream(exceptions.InvalidArgument, "STREAM_FINALIZED"), False, True),
        (of_stream(exceptions.InvalidArgument, "INVALID_STREAM_STATE"), False, True),
        (of_stream(exceptions.InvalidArgument, "SCHEMA_MISMATCH_EXTRA_FIELDS"), False, False),
        (of_stream(exceptions.NotFound, "STREAM_NOT_FOUND"), False, True),
        (exceptions.FailedPrecondition("without details"), False, True),
        (of_stream(exceptions.PermissionDenied, "TABLE_NOT_FOUND"), False, False),
    ],
)
def test_what_passes_by_itself_and_what_ends_a_stream(
    error: exceptions.GoogleAPICallError, passes: bool, ends: bool
):
    assert (is_passing(error), has_ended(error)) == (passes, ends)


# --- tables


def test_a_table_has_what_its_contract_says():
    """Required is only what no landed row can lack; a description is text, not a template."""
    for contract in load_contracts().values():
        table = schemas.table(TARGET, contract, {})
        names = [column.name for column in contract.kept_columns]
        assert [field.name for field in table.schema] == [*names, "ingest_date"]
        assert table.time_partitioning.expiration_ms == contract.retention_days * 24 * 3600 * 1000
        assert len(table.clustering_fields or []) <= 4
        for column, field in zip(contract.kept_columns, table.schema, strict=False):
            assert not (field.mode == "REQUIRED" and (column.since or column.retired))
            assert field.mode == "NULLABLE" or column.required
            assert field.description
            assert "{{" not in field.description
        is_nullable = {field.name: field.nullable for field in schemas.arrow_schema(contract)}
        assert is_nullable == {field.name: field.is_nullable for field in table.schema}


def a_table(*fields: bigquery.SchemaField) -> bigquery.Table:
    return bigquery.Table("a-project.eu_bronze.t", schema=list(fields))


def test_a_table_takes_what_its_contract_has_come_to_say():
    """A new column may be null, and so may one that is no longer required; others stay."""
    there = a_table(
        bigquery.SchemaField("a", "STRING", mode="REQUIRED"),
        bigquery.SchemaField("theirs", "INTEGER", mode="NULLABLE"),
    )
    wanted = [
        bigquery.SchemaField("a", "STRING", mode="NULLABLE"),
        bigquery.SchemaField("b", "FLOAT64", mode="REQUIRED"),
    ]
    completed = {field.name: field.mode for field in schemas.completed(there, wanted)}
    assert completed == {"a": "NULLABLE", "theirs": "NULLABLE", "b": "NULLABLE"}
    assert schemas.behind(there, wanted) == "a"
    assert schemas.behind(a_table(*schemas.completed(there, wanted)), wanted) is None


def test_the_two_names_of_a_type_are_one_and_another_type_is_drift():
    there = a_table(bigquery.SchemaField("a", "INT64"), bigquery.SchemaField("b", "STRING"))
    schemas.completed(there, [bigquery.SchemaField("a", "INTEGER")])
    with pytest.raises(AssayError, match=r"eu_bronze\.t: schema drift, column b is STRING, and"):
        schemas.completed(there, [bigquery.SchemaField("b", "FLOAT")])


# --- homes


@pytest.fixture
def away(tmp_path: Path) -> Home:
    """A home that lands on BigQuery, where nobody is asked."""
    home = Home(tmp_path / "away")
    home.bronze.mkdir(parents=True)
    mark_home(home, "eu", TARGET)
    return home


def run(*arguments: object) -> tuple[int, str]:
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.output


def test_a_home_remembers_where_it_lands(away: Home, home: Home):
    assert away.bigquery == TARGET
    assert json.loads(away.marker.read_text())["bigquery"]["location"] == "europe-west1"
    assert home.bigquery is None


def test_a_home_never_changes_where_it_lands(away: Home, home: Home):
    """Neither way, and nothing is asked of BigQuery before that is known."""
    here = home.marker.read_bytes()
    code, line = run("init", "--home", home.path, "--bigquery", "a-project")
    assert code == 1
    assert "lands in Parquet files, not on BigQuery" in line
    assert home.marker.read_bytes() == here
    with pytest.raises(AssayError, match="lands on BigQuery in a-project"):
        init_home(away.path)
    code, line = run("init", "--home", away.path, "--bigquery", "another-project")
    assert code == 1
    assert "not on BigQuery in another-project" in line


@pytest.mark.parametrize(
    "command",
    [
        ["refresh"],
        ["check"],
        ["rebuild", "attempts_daily", "--from", "2026-05-01", "--to", "2026-05-01"],
        ["explain-suppression", "attempts_daily"],
        ["explain", "decision-1"],
        ["vault", "init"],
    ],
)
def test_what_is_about_the_warehouse_names_what_to_use_instead(away: Home, command: list[str]):
    code, line = run(*command, "--home", away.path)
    assert code == 1
    assert line.count("\n") == 1
    assert "Instead: " in line
    assert "{" not in line.replace('{"rebuild": {"model": MODEL, "from": DAY, "to": DAY}}', "")


@pytest.mark.parametrize("names", [("My Project",), ("p`; drop",), ("proj", "--dataset", "a.b")])
def test_a_name_that_cannot_be_one_is_refused(tmp_path: Path, names: tuple[str, ...]):
    code, line = run("init", "--home", tmp_path / "h", "--bigquery", *names)
    assert (code, line.count("\n")) == (1, 1)
    assert "no name of a project and dataset" in line


def test_eu_data_has_no_replica(tmp_path: Path):
    code, line = run("init", "--home", tmp_path / "h", "--bigquery", "proj", "--replica")
    assert code == 1
    assert "Residency eu has no recovery location" in line
    assert not (tmp_path / "h").exists()


def test_the_options_of_bigquery_need_it(tmp_path: Path):
    code, said = run("init", "--home", tmp_path / "h", "--reader", "a@b")
    assert code == 2
    assert "--bigquery" in said


def test_a_missing_library_names_the_extra(away: Home, monkeypatch: pytest.MonkeyPatch):
    real = builtins.__import__

    def missing(name: str, *rest: Any) -> Any:
        if name.startswith("loaders.sinks.bigquery"):
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", missing)
    for command in (["status"], ["ledger"]):
        code, line = run(*command, "--home", away.path)
        assert (code, line.count("\n")) == (1, 1)
        assert "pip install 'assay-lakehouse[bigquery]'" in line


def test_nobody_pays_for_what_he_does_not_use():
    """A home in Parquet files never loads Google's library."""
    code = (
        "import sys, tempfile, pathlib\n"
        "from loaders.cli import main\n"
        "from loaders.home import init_home\n"
        "from loaders.status import read_status\n"
        "read_status(init_home(pathlib.Path(tempfile.mkdtemp()) / 'home')[0])\n"
        "sys.exit('google.cloud.bigquery' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=PROJECT, check=False).returncode == 0


@pytest.mark.parametrize("key", [None, "missing.json", "garbled.json"])
def test_without_credentials_one_line_says_how_to_get_some(
    away: Home, key: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "garbled.json").write_text(MARK)
    for name in ("BIGQUERY_EMULATOR_HOST", "GOOGLE_APPLICATION_CREDENTIALS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path / "none"))
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    if key:
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / key))
    code, line = run("ledger", "--home", away.path)
    assert (code, line.count("\n")) == (1, 1)
    assert MARK not in line
    assert "no Google credentials. Run: gcloud auth application-default login" in line


def test_a_column_is_named_only_if_it_is_ours():
    """What stands in its place may be a value."""
    line = said(exceptions.BadRequest(f"Schema does not match. Field {MARK} has changed type"))
    assert "schema drift: " in line


def test_without_a_service_nothing_is_landed_and_one_line_says_so(
    away: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Whether a file is landed already cannot be known then."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    monkeypatch.setenv("BIGQUERY_EMULATOR_HOST", f"http://127.0.0.1:{port}")
    monkeypatch.setenv("ASSAY_BIGQUERY_RETRY_SECONDS", "0.2")
    sent = tmp_path / "sent.jsonl"
    sent.write_text("{}\n")
    code, line = run("land", "attempts", sent, "--home", away.path)
    assert (code, line.count("\n")) == (1, 1)
    assert "cannot be reached" in line
    assert list(away.bronze.glob(".committed/*")) == []
    assert list(away.bronze.glob(".staging/*")) == []
