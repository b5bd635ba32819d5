"""`assay check`: a good batch is green, and each planted fault turns the right expectation red."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from kept_validator import one_validator
from landed import ATTEMPT, assay, batch_files, bronze_rows, says_one_line

from loaders.checks import RESULTS, CheckResult, check
from loaders.checks.expectations import columns_of, expectations_of, value_columns
from loaders.contracts import contract_of, load_contracts
from loaders.erasure import erase as erasure
from loaders.erasure.subject import Subject
from loaders.errors import AssayError
from loaders.home import Home
from loaders.landing.batches import LandingResult, land_file

__all__ = ["one_validator"]  # a fixture

ROWS = 20
PEOPLE = [f"planted.person.{n}@mail.example" for n in range(ROWS)]


@pytest.fixture
def landed(home: Home, tmp_path: Path) -> LandingResult:
    """A batch of attempts with planted people, two dead letters beside it."""
    rows = [
        ATTEMPT
        | {
            "event_id": f"planted-event-{n}",
            "email": person,
            "ip": f"203.0.113.{n}",
            "path": f"/planted-path-{n}",
            "duration": 1_000_000 + n,
        }
        for n, person in enumerate(PEOPLE)
    ]
    path = tmp_path / "sent.jsonl"
    path.write_text("\n".join([*map(json.dumps, rows), "planted-broken-line", "[]"]) + "\n")
    return land_file(home, "attempts", path)


def change(home: Home, how: Callable[[pa.Table], pa.Table], table: str = "attempts") -> None:
    """Write the one batch of a table again, as somebody would who bypassed landing."""
    (file,) = batch_files(home, table)
    pq.write_table(how(pq.ParquetFile(file).read()), file)


def with_value(column: str, value: object, row: int = 3) -> Callable[[pa.Table], pa.Table]:
    def changed(table: pa.Table) -> pa.Table:
        values = table[column].to_pylist()
        values[row] = value
        position = table.column_names.index(column)
        array = pa.array(values, table[column].type)
        return table.set_column(position, column, array)

    return changed


def of_type(column: str, data_type: pa.DataType) -> Callable[[pa.Table], pa.Table]:
    return lambda table: table.set_column(
        table.column_names.index(column), column, table[column].cast(data_type)
    )


def failures(result: CheckResult) -> list[tuple[str, str | None, str, int | None]]:
    return [
        (f.table, f.outcome.column, f.outcome.expectation, f.outcome.unexpected_count)
        for f in result.findings
    ]


def test_a_good_batch_is_green(home: Home, landed: LandingResult):
    """Its events, its dead letters and its line in the ledger; once green, it is not done again."""
    result = check(home)
    assert failures(result) == []
    assert result.batches == 3
    results = bronze_rows(home, RESULTS)
    assert len(results) == result.expectations > 100
    assert {row["table_name"] for row in results} == {"attempts", "dead_letters", "landing_ledger"}
    assert {row["checked_batch_id"] for row in results} == {landed.batch_id}
    assert all(row["success"] for row in results)
    assert {row["rows_checked"] for row in results if row["table_name"] == "attempts"} == {ROWS}
    assert check(home).batches == 0
    assert check(home, ["attempts"], newest=1).batches == 1


FAULTS = [
    (
        with_value("action", None),
        ("action", "expect_column_values_to_not_be_null", 1),
    ),
    (
        with_value("payload_hash", None),
        ("payload_hash", "expect_column_values_to_not_be_null", 1),
    ),
    (
        with_value("status", "planted_word"),
        ("status", "expect_column_values_to_be_in_set", 1),
    ),
    (
        with_value("duration", -77_777),
        ("duration", "expect_column_values_to_be_between", 1),
    ),
    (
        with_value("timestamp", datetime(1969, 7, 20, tzinfo=UTC)),
        ("timestamp", "expect_column_values_to_be_between", 1),
    ),
    (
        with_value("timestamp", datetime.now(UTC) + timedelta(days=3)),
        ("timestamp", "expect_column_values_to_be_between", 1),
    ),
    (
        with_value("batch_id", "another"),
        ("batch_id", "expect_column_values_to_be_in_set", 1),
    ),
    (
        lambda table: table.take([*range(ROWS - 1), 0]),
        (None, "expect_compound_columns_to_be_unique", 2),
    ),
    (
        lambda table: table.slice(2),
        (None, "expect_table_row_count_to_equal", 2),
    ),
    (
        lambda table: table.drop_columns(["duration"]),
        ("duration", "expect_column_to_exist", None),
    ),
    (
        lambda table: table.drop_columns(["line_number"]),
        ("line_number", "expect_column_to_exist", None),
    ),
    (
        lambda table: table.append_column("planted", table["email"]),
        (None, "expect_table_columns_to_match_ordered_list", None),
    ),
    (
        lambda table: table.select(table.column_names[::-1]),
        (None, "expect_table_columns_to_match_ordered_list", None),
    ),
    (
        of_type("duration", pa.int32()),
        ("duration", "expect_column_values_to_be_of_type", None),
    ),
    (
        of_type("timestamp", pa.timestamp("us")),
        ("timestamp", "expect_column_values_to_be_of_type", None),
    ),
    (
        of_type("sequence", pa.string()),
        ("sequence", "expect_column_values_to_be_of_type", None),
    ),
]


@pytest.mark.parametrize(("how", "found"), FAULTS, ids=[str(found[1]) for _, found in FAULTS])
def test_a_planted_fault_is_found(
    home: Home,
    landed: LandingResult,
    how: Callable[[pa.Table], pa.Table],
    found: tuple[str | None, str, int | None],
):
    """That one expectation of that column fails, with its count, and no other."""
    change(home, how)
    assert failures(check(home, ["attempts"])) == [("attempts", *found)]


def test_the_line_of_an_erased_person_is_in_order(home: Home, landed: LandingResult):
    """And no less than before is expected of the others, nor of how many lines there are."""
    erasure.erase(home, Subject.of("email", PEOPLE[:2]), "request")
    assert failures(check(home, ["attempts"])) == []
    counted = [r["rows_checked"] for r in bronze_rows(home, RESULTS)]
    assert set(counted) == {ROWS - 2}
    change(home, lambda table: table.slice(0, ROWS - 1))
    assert failures(check(home, ["attempts"], newest=1)) == [
        ("attempts", None, "expect_table_row_count_to_equal", 1)
    ]


def test_two_faults_are_two_lines(home: Home, landed: LandingResult):
    """More rows than the ledger says, and one of them a line that was there before."""
    change(home, lambda table: table.take([*range(ROWS), 0]))
    assert sorted(failures(check(home, ["attempts"])), key=str) == [
        ("attempts", None, "expect_compound_columns_to_be_unique", 2),
        ("attempts", None, "expect_table_row_count_to_equal", 1),
    ]


def test_a_batch_without_its_file_is_found(home: Home, landed: LandingResult):
    """The ledger knows it; and a file that the ledger does not know is found as well."""
    (file,) = batch_files(home, "attempts")
    file.rename(file.with_name("unknown.parquet"))
    change(home, lambda table: of_batch(table, "unknown"))
    result = check(home, ["attempts"])
    assert failures(result) == [("attempts", None, "expect_table_row_count_to_equal", ROWS)] * 2
    assert {f.batch_id for f in result.findings} == {"unknown", landed.batch_id}


def test_a_batch_that_expired_is_not_missed(home: Home, landed: LandingResult):
    """The ledger outlives the events; after their retention, no file is expected."""
    days = contract_of("attempts").retention_days
    (file,) = batch_files(home, "attempts")
    file.unlink()
    for age, is_missed in ((days - 1, True), (days + 1, False)):
        finished = datetime.now(UTC) - timedelta(days=age)
        change(home, with_value("finished_at", finished, row=0), "landing_ledger")
        assert bool(failures(check(home, ["attempts"]))) == is_missed


def of_batch(table: pa.Table, batch_id: str) -> pa.Table:
    position = table.column_names.index("batch_id")
    return table.set_column(position, "batch_id", pa.repeat(batch_id, table.num_rows))


def test_dead_letters_and_ledger_are_checked_too(home: Home, landed: LandingResult):
    """A refused record that is gone, and a ledger line that cannot be."""
    change(home, lambda table: table.slice(1), "dead_letters")
    change(home, with_value("accepted", -1, row=0), "landing_ledger")
    assert set(failures(check(home))) == {
        ("dead_letters", None, "expect_table_row_count_to_equal", 1),
        ("landing_ledger", "accepted", "expect_column_values_to_be_between", 1),
        ("attempts", None, "expect_table_row_count_to_equal", ROWS + 1),
    }


def test_a_file_that_is_no_parquet_is_one_line(home: Home, landed: LandingResult):
    (file,) = batch_files(home, "attempts")
    file.write_bytes(b"planted.person.1@mail.example")
    with pytest.raises(AssayError, match=r"^attempts: batch \w+ cannot be read \(Arrow") as caught:
        check(home, ["attempts"])
    assert "planted" not in str(caught.value)


def test_a_home_that_is_older_than_a_table_is_completed(home: Home):
    """`assay init` makes what is missing; until then, one line says so."""
    shutil.rmtree(home.bronze / RESULTS)
    for command in ("check", "status"):
        said = says_one_line(assay(command, home=home))
        assert said == f"{home.path} has no table {RESULTS} yet. Run: assay init"
    assert assay("init", home=home).returncode == 0
    assert assay("check", home=home).returncode == 0


def test_what_failed_is_checked_again_and_what_is_mended_is_green(
    home: Home, landed: LandingResult
):
    """Exit code 1 with a line per failure, as often as it is asked; `assay status` tells too."""
    (file,) = batch_files(home, "attempts")
    good = file.read_bytes()
    change(home, with_value("status", "planted_word"))
    for _ in range(2):
        said = assay("check", home=home)
        assert said.returncode == 1
        failed, _ = said.stdout.splitlines()[0], said.stdout.splitlines()[1]
        assert failed == (
            f"attempts  batch {landed.batch_id}  status  expect_column_values_to_be_in_set, 1 rows"
        )
        assert "planted" not in said.stdout + said.stderr
    status = assay("status", home=home).stdout
    assert f"1 batches are not as their contract says: attempts {landed.batch_id}." in status
    file.write_bytes(good)
    said = assay("check", "--json", home=home)
    assert said.returncode == 0, said.stderr
    assert json.loads(said.stdout)["failed"] == []
    assert "not as their contract says" not in assay("status", home=home).stdout
    assert "last check  20" in assay("status", home=home).stdout


def test_no_value_is_in_what_a_check_writes(home: Home, landed: LandingResult, tmp_path: Path):
    """Data docs, results and output hold no planted value, whatever column is at fault."""
    change(
        home,
        lambda table: with_value("duration", -77_777)(
            with_value("status", "planted_word")(
                of_type("sequence", pa.string())(
                    table.set_column(
                        table.column_names.index("sequence"),
                        "sequence",
                        pa.repeat(pa.scalar(123456789), table.num_rows),
                    )
                ).take([*range(ROWS), 0])
            )
        ),
    )
    docs = tmp_path / "docs"
    said = assay("check", "--docs", docs, home=home)
    assert said.returncode == 1
    written = "".join(str(row) for row in bronze_rows(home, RESULTS)) + said.stdout + said.stderr
    pages = [path for path in docs.rglob("*") if path.is_file()]
    assert any(landed.batch_id in path.as_posix() for path in pages)
    text = "".join(p.read_text("utf-8", errors="replace") for p in pages if p.suffix == ".html")
    assert "expect_column_values_to_be_in_set" in written
    assert "are not null" in text or "never be null" in text
    for value in ("planted", "mail.example", "203.0.113", "77777", "77,777", "123456789"):
        assert value not in written, value
        assert value not in text, value
    everything = b"".join(path.read_bytes() for path in pages)
    assert b"planted" not in everything


def test_only_what_is_looked_at_is_read(home: Home):
    """No expectation is about the value of a direct identifier, so none of them is loaded."""
    for contract in load_contracts().values():
        columns = list(contract.kept_columns)
        looked_at = value_columns(expectations_of(contract, columns, datetime.now(UTC)))
        for name in looked_at:
            assert contract.column(name).privacy != "direct_identifier", f"{contract.table}.{name}"


def test_every_contract_has_a_suite_of_all_it_says():
    """From the contracts' keys: required, words, bounds, times, and what landing sets."""
    for contract in load_contracts().values():
        suite = expectations_of(contract, list(contract.kept_columns), datetime.now(UTC))
        about = {(e.column, e.kind) for e in suite}
        for column in contract.kept_columns:
            assert (column.name, "expect_column_to_exist") in about
            assert (column.name, "expect_column_values_to_be_of_type") in about
            is_filled = (column.name, "expect_column_values_to_not_be_null") in about
            assert is_filled == (column.required or column.set_by == "landing")
            has_words = bool(column.vocabulary or column.accepted)
            if column.name != "batch_id":
                assert ((column.name, "expect_column_values_to_be_in_set") in about) == has_words
            has_bounds = column.min is not None or column.data_type == "timestamp"
            assert ((column.name, "expect_column_values_to_be_between") in about) == has_bounds


def test_older_batches_may_lack_a_later_column():
    """A column that came with 0.2.0 is expected of batches of that version, and where it is."""
    contract = contract_of("attempts")
    later = [
        c if c.name != "producer" else type(c)(c.name, c.data_type, "-", "safe", since="0.2.0")
        for c in contract.columns
    ]
    changed = type(contract)(
        "attempts", "-", tuple(later), "event_id", "timestamp", 90, overflow="additional_data"
    )
    names = [column.name for column in later]
    older = [name for name in names if name != "producer"]
    assert [c.name for c in columns_of(changed, older, "0.1.9")] == older
    assert [c.name for c in columns_of(changed, names, "0.1.9")] == names
    assert [c.name for c in columns_of(changed, older, "0.2.0")] == names
    assert [c.name for c in columns_of(changed, older, "0.10.0")] == names


def test_without_the_extra_it_says_what_to_install(
    home: Home, landed: LandingResult, tmp_path: Path
):
    """In one line, and every other command works as before."""
    package = tmp_path / "hidden" / "great_expectations"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("raise ImportError('hidden by a test')\n")
    path = os.pathsep.join([str(package.parent), os.environ.get("PYTHONPATH", "")])
    result = assay("check", home=home, PYTHONPATH=path)
    assert result.returncode == 1
    assert says_one_line(result) == (
        'assay check needs Great Expectations: pip install "assay-lakehouse[check]"'
    )
    assert assay("status", home=home, PYTHONPATH=path).returncode == 0


def test_other_commands_do_not_import_it():
    """It takes seconds to import, so only a check does."""
    code = "import sys, loaders.cli; sys.exit('great_expectations' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_its_analytics_are_off(home: Home, landed: LandingResult):
    """Whatever the environment says: nothing is sent anywhere."""
    code = (
        "import os, sys, socket; from pathlib import Path\n"
        "calls = []\n"
        "connect = socket.socket.connect\n"
        "socket.socket.connect = lambda self, to: calls.append(to) or connect(self, to)\n"
        "from loaders.checks import check; from loaders.home import open_home\n"
        "check(open_home(sys.argv[1]))\n"
        "print(calls, os.environ['GX_ANALYTICS_ENABLED'])"
    )
    said = subprocess.run(
        [sys.executable, "-c", code, str(home.path)],
        env={**os.environ, "GX_ANALYTICS_ENABLED": "true"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert said.stdout.strip() == "[] false"
