"""Mappings: files with other names land, as two real ones do, up to what gold shows of them."""

from __future__ import annotations

import csv
import json
import random
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pytest
from conftest import DEMO_END, PROJECT, run_dbt
from landed import ATTEMPT, assay, bronze_rows

from loaders.demo import write_demo
from loaders.errors import AssayError
from loaders.home import Home, init_home
from loaders.landing.batches import LandingResult, land_file

SSH_LOG = PROJECT.parent / "shared" / "data" / "ssh_login_attempts.csv.gz"
SSH_MAPPING = PROJECT / "examples" / "ssh_log" / "mapping.yml"
EXPORT_MAPPING = PROJECT / "examples" / "attempts_export" / "mapping.yml"

EXPORT_COLUMNS = [  # S3-04 to S3-18
    *("timestamp", "user_agent", "ip", "geo", "as_country_code", "as_description", "as_number"),
    *("domain", "path", "query", "action", "fp", "referrer", "email", "country", "currency"),
    *("phone", "status", "aff_data", "additional_data", "resp", "duration"),
]
EXPORTED, TWICE = 1_200, 25

ALERT = """
    select period_start, domain, sum(errors) as errors
    from gold.attempts_hourly
    where action = 'login'
    group by all
    having sum(errors) > 100
"""
PEOPLE, SAFE_ROWS = 10, 100  # what a cell of attempts_hourly is shown from


# --- two real files, landed, built and published in one home


def export(path: Path, rows: list[dict[str, Any]]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, EXPORT_COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
    return path


def requests(folder: Path) -> list[dict[str, Any]]:
    """Rows of S3's table: the demo's events without what the table lacks, some of them twice."""
    write_demo(folder, 1_000 + EXPORTED, 3, DEMO_END)
    with (folder / "attempts-01.jsonl").open(encoding="utf-8") as file:
        events = [json.loads(line) for line, _ in zip(file, range(EXPORTED), strict=False)]
    rows = [{name: event.get(name) for name in EXPORT_COLUMNS} for event in events]
    for row in rows:
        row["timestamp"] = row["timestamp"].replace("T", " ").replace("Z", " UTC")
    return rows + rows[:TWICE]


@pytest.fixture(scope="module")
def lands(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The SSH log, an export and a shuffled copy of it, in one home; their results by name."""
    if not SSH_LOG.exists():
        pytest.fail(f"{SSH_LOG} is not there: put the real inputs in place, see its README.")
    folder = tmp_path_factory.mktemp("mapped")
    home = init_home(folder / "home")[0]
    rows = requests(folder)
    first = export(folder / "export.csv", rows)
    random.Random(1).shuffle(rows)
    copy = export(folder / "shuffled.csv", rows)
    return {
        "home": home,
        "requests": rows,
        "ssh": land_file(home, "attempts", SSH_LOG, SSH_MAPPING, "ssh"),
        "export": land_file(home, "attempts", first, EXPORT_MAPPING, "export"),
        "copy": land_file(home, "attempts", copy, EXPORT_MAPPING, "export"),
    }


def rows_of(lands: dict[str, Any], name: str) -> list[dict[str, Any]]:
    batch_id = lands[name].batch_id
    return [row for row in bronze_rows(lands["home"]) if row["batch_id"] == batch_id]


@pytest.fixture(scope="module")
def gold(lands: dict[str, Any]) -> duckdb.DuckDBPyConnection:
    """What readers open after a build, by a machine whose clock is in Tokyo."""
    home = lands["home"]
    # The sources are years apart, and metrics have a row for every hour between them.
    select = ["--exclude", "metric_time_series+"]
    run_dbt(home, "build", *select, TZ="Asia/Tokyo", ASSAY_DOMAINS="access")
    result = assay("publish", home=home)
    assert result.returncode == 0, result.stderr
    return duckdb.connect(str(home.published_file), read_only=True)


@pytest.fixture(scope="module")
def log() -> pd.DataFrame:
    """The SSH log as pandas reads it, one row per attempt."""
    lines = pd.read_csv(SSH_LOG, keep_default_na=False)
    tried = lines.loc[lines.index.repeat(lines["repeat_count"])]
    times = pd.to_datetime(tried["ts_no_year"])
    return tried.assign(hour=times.dt.floor("h"), day=times.dt.date, at=times)


def test_the_ssh_log_lands_every_attempt(lands: dict[str, Any], log: pd.DataFrame):
    """Outcomes as its authors counted them: 226 accepted, 1,042 failed, 178 of invalid users."""
    result = lands["ssh"]
    assert (result.received, result.accepted, result.rejected) == (1446, 1446, 0)
    rows = rows_of(lands, "ssh")
    assert Counter((row["status"], row["error_code"]) for row in rows) == {
        ("success", None): 226,
        ("error", "invalid_credentials"): 1042,
        ("error", "account_unknown"): 178,
    }
    assert log["outcome"].value_counts().to_dict() == {
        "accepted": 226,
        "failed": 1042,
        "invalid_user": 178,
    }
    assert {(row["action"], row["domain"]) for row in rows} == {("login", "ssh.example")}
    assert {row["source_system"] for row in rows} == {"ssh"}
    assert len({row["event_id"] for row in rows}) == 1446


def test_the_ssh_log_lands_each_attempt_where_and_when_it_was(
    lands: dict[str, Any], log: pd.DataFrame
):
    """By time, address, user and line: what bronze holds is what pandas reads."""
    found = Counter()
    for row in rows_of(lands, "ssh"):
        rest = json.loads(row["additional_data"])
        assert set(rest) <= {"line_no", "sshd_pid", "method", "user_name", "unknown_user"}
        time = row["timestamp"].replace(tzinfo=None)
        found[time, row["ip"], rest.get("user_name", ""), int(rest["line_no"])] += 1
    expected = log.groupby(["at", "src_ip", "user_name", "line_no"]).size()
    assert found == {
        (at.to_pydatetime(), *others): count for (at, *others), count in expected.items()
    }


def test_the_ssh_log_has_the_days_and_storms_that_pandas_finds(
    lands: dict[str, Any], log: pd.DataFrame
):
    """In bronze: attempts per day and outcome, and the hours with more than 100 errors."""
    rows = pd.DataFrame(rows_of(lands, "ssh"))
    at = rows["timestamp"].dt.tz_localize(None)
    days = rows.groupby([at.dt.date, rows["status"] == "success"]).size()
    expected = log.groupby(["day", log["outcome"] == "accepted"]).size()
    assert days.to_dict() == expected.to_dict()
    assert days.index.get_level_values(0).nunique() == 25
    hours = at[rows["status"] == "error"].dt.floor("h").value_counts()
    assert (
        hours[hours > 100].to_dict()
        == storms(log)
        == {
            pd.Timestamp("2017-03-30 15:00"): 117,
            pd.Timestamp("2017-04-05 07:00"): 127,
        }
    )


def storms(log: pd.DataFrame) -> dict[pd.Timestamp, int]:
    hours = log.loc[log["outcome"] != "accepted", "hour"].value_counts()
    return hours[hours > 100].to_dict()


def test_the_alert_finds_the_storms(
    gold: duckdb.DuckDBPyConnection, lands: dict[str, Any], log: pd.DataFrame
):
    """One query on what readers see names the hours that pandas names, and no others.

    A cell of the mart is one hour, status and error code, shown from 10 addresses or 100 attempts.
    Both storms have such a cell, of two senders with 117 and 126 wrong passwords. The 127th error
    of the second hour, an unknown user, is a cell of one attempt: it cannot be shown, and the sum
    is less by it.
    """
    errors = log[log["outcome"] != "accepted"]
    cells = errors.groupby(["hour", "outcome"])["src_ip"].agg(["size", "nunique"])
    shown = cells[(cells["size"] >= SAFE_ROWS) | (cells["nunique"] >= PEOPLE)]["size"]
    visible = shown.groupby("hour").sum()
    expected = {
        (hour, "ssh.example"): int(visible[hour])
        for hour in storms(log)
        if visible.get(hour, 0) > 100
    }
    found = {(hour, domain): errors for hour, domain, errors in gold.execute(ALERT).fetchall()}
    assert found == expected
    hidden = {hour: count - int(visible[hour]) for hour, count in storms(log).items()}
    assert hidden == {pd.Timestamp("2017-03-30 15:00"): 0, pd.Timestamp("2017-04-05 07:00"): 1}
    assert len(found) == 2


def test_gold_shows_every_cell_of_the_ssh_log_that_may_be_shown(
    gold: duckdb.DuckDBPyConnection, lands: dict[str, Any], log: pd.DataFrame
):
    """Hour by hour, the cells that pass, successes included, with their exact counts."""
    cells = log.groupby(["hour", "outcome"])["src_ip"].agg(["size", "nunique"])
    shown = cells[(cells["size"] >= SAFE_ROWS) | (cells["nunique"] >= PEOPLE)]["size"]
    code = {"accepted": "none", "failed": "invalid_credentials", "invalid_user": "account_unknown"}
    found = gold.execute(
        "select period_start, error_code, sum(attempts) from gold.attempts_hourly "
        "where domain = 'ssh.example' group by all"
    ).fetchall()
    assert {(hour, name): count for hour, name, count in found} == {
        (hour.to_pydatetime(), code[outcome]): count for (hour, outcome), count in shown.items()
    }
    total = gold.execute(
        "select sum(attempts) from gold.attempts_daily where domain = 'ssh.example'"
    ).fetchone()
    assert total is not None
    assert total[0] <= len(log)


def test_the_export_lands_with_its_columns_as_they_stand(lands: dict[str, Any]):
    """Nothing refused, nothing renamed, and nothing left over."""
    result = lands["export"]
    sent = EXPORTED + TWICE
    assert (result.received, result.accepted, result.rejected) == (sent, sent, 0)
    expected = Counter(map(sent_request, lands["requests"]))
    found = Counter(
        (
            f"{row['timestamp']:%Y-%m-%d %H:%M:%S.%f} UTC",
            *(str(row[name] or "") for name in EXPORT_COLUMNS[1:]),
        )
        for row in rows_of(lands, "export")
    )
    assert found == expected
    assert {row["error_code"] for row in rows_of(lands, "export")} == {None}


def sent_request(row: dict[str, Any]) -> tuple[str, ...]:
    """A row of the export as bronze must hold it: statuses in our words, an unknown one kept."""
    known = {"multi acc", "multi_acc", "multiacc"}
    row = row | {"status": "multi_account" if row["status"] in known else row["status"]}
    if row["status"] == "weird":
        row |= {"status": "unclassified", "additional_data": '{"status":"weird"}'}
    return tuple(str(row[name] or "") for name in EXPORT_COLUMNS)


def test_the_sample_of_the_export_lands(home: Home):
    """The file beside the mapping, which the README lands: 22 columns, one row without a time."""
    sample = EXPORT_MAPPING.with_name("attempts.csv")
    with sample.open(encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    assert header == EXPORT_COLUMNS
    timeless = [line for line, row in enumerate(rows, 2) if not row[0]]
    assert len(timeless) == 1
    result = land_file(home, "attempts", sample, EXPORT_MAPPING)
    assert (result.received, result.accepted) == (len(rows), len(rows) - 1)
    assert len({row["event_id"] for row in bronze_rows(home)}) == len(rows) - 1
    (letter,) = bronze_rows(home, "dead_letters")
    assert (letter["line_number"], letter["code"], letter["pointer"]) == (
        timeless[0],
        "envelope_violation",
        "/timestamp",
    )


def test_equal_requests_stay_two_and_order_does_not_matter(lands: dict[str, Any]):
    """An id per row, and the same ids from the same rows in another order."""
    ids = [row["event_id"] for row in rows_of(lands, "export")]
    assert len(ids) == len(set(ids)) == EXPORTED + TWICE
    assert Counter(name.split("-")[1] for name in ids) == {"1": EXPORTED, "2": TWICE}
    assert {row["event_id"] for row in rows_of(lands, "copy")} == set(ids)
    assert lands["copy"].batch_id != lands["export"].batch_id


def test_silver_holds_each_exported_request_once(
    gold: duckdb.DuckDBPyConnection, lands: dict[str, Any]
):
    """The shuffled copy is all duplicates, none of them a conflict."""
    batches = [lands["export"].batch_id, lands["copy"].batch_id]
    with duckdb.connect(str(lands["home"].warehouse), read_only=True) as warehouse:
        kept = warehouse.execute(
            "select count(*) from silver.stg_access__attempts where batch_id in (?, ?)", batches
        ).fetchone()
        others = warehouse.execute(
            "select batch_id, code, count(*) from silver.int_access__duplicates group by all"
        ).fetchall()
    assert kept == (EXPORTED + TWICE,)
    assert others == [(lands["copy"].batch_id, "duplicate_exact", EXPORTED + TWICE)]


# --- the language of mappings, word by word


@pytest.fixture
def land(home: Home, tmp_path: Path) -> Callable[..., LandingResult]:
    """Land some objects with a mapping."""

    def lander(mapping: str, *rows: dict[str, Any]) -> LandingResult:
        sent, mapping_file = tmp_path / "sent", tmp_path / "mapping.yml"
        sent.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        mapping_file.write_text(mapping, encoding="utf-8")
        return land_file(home, "attempts", sent, mapping_file)

    return lander


def test_rename_to_several_columns_and_from_several_fields(home: Home, land: Callable):
    """One field may fill two columns; of several for one, the mapping's first that is set wins.

    The others are kept beside it.
    """
    mapping = "rename: {who: [email, fp], a: ip, b: ip}\n"
    land(
        mapping,
        ATTEMPT | {"who": "x", "a": "1", "b": "2"},
        ATTEMPT | {"a": None, "b": "2"},
        ATTEMPT | {"ip": "3", "email": "own"},
        ATTEMPT | {"a": "1", "b": "1", "ip": "4"},
    )
    assert [(row["email"], row["fp"], row["ip"]) for row in bronze_rows(home)] == [
        ("x", "x", "1"),
        (None, None, "2"),
        ("own", None, "3"),
        (None, None, "1"),
    ]
    rest = [row["additional_data"] for row in bronze_rows(home)]
    assert rest == ['{"b":"2"}', None, None, '{"ip":"4"}']


def test_constants_and_values(home: Home, land: Callable):
    """A value that is not listed stays as it was sent."""
    mapping = (
        "constants: {domain: d.example, duration: 7}\nvalues: {status: {K: success, '0': error}}\n"
    )
    sent = [ATTEMPT | {"status": status} for status in ("K", 0, "blocked")]
    land(mapping, *sent)
    rows = bronze_rows(home)
    assert [(row["domain"], row["duration"]) for row in rows] == [("d.example", 7)] * 3
    assert [row["status"] for row in rows] == ["success", "error", "blocked"]


@pytest.mark.parametrize(
    ("kind", "sent", "utc"),
    [
        ("epoch_s", 1777629600, "2026-05-01T10:00:00"),
        ("epoch_s", "1777629600.25", "2026-05-01T10:00:00.250000"),
        ("epoch_ms", 1777629600123, "2026-05-01T10:00:00.123000"),
        ("epoch_us", 1777629600123457, "2026-05-01T10:00:00.123457"),
        ("'%d/%m/%Y %H:%M'", "01/05/2026 10:00", "2026-05-01T09:00:00"),
        ("'%d/%m/%Y %H:%M'", "01/02/2026 10:00", "2026-02-01T10:00:00"),
        ("'%d/%m/%Y %H:%M'", "2026-05-01", None),
        ("epoch_s", "soon", None),
    ],
)
def test_types_and_timezone(home: Home, land: Callable, kind: str, sent: object, utc: str | None):
    """Lisbon is an hour ahead of UTC in summer, and epochs are in no zone."""
    mapping = f"types: {{timestamp: {kind}}}\ntimezone: Europe/Lisbon\n"
    result = land(mapping, ATTEMPT | {"timestamp": sent})
    found = [row["timestamp"] for row in bronze_rows(home)]
    assert found == ([datetime.fromisoformat(utc).replace(tzinfo=UTC)] if utc else [])
    assert dict(result.codes) == ({} if utc else {"time_violation": 1})


def test_rows_unfold_a_count(home: Home, land: Callable):
    """Each with an id of its own; a count that is none refuses the record once, with a pointer."""
    counts = [3, "2", 1, 0, -1, "many", None, 10**9]
    sent = [ATTEMPT | {"event_id": f"e{n}", "times": count} for n, count in enumerate(counts)]
    result = land("rows: times\n", *sent)
    assert [row["event_id"] for row in bronze_rows(home)] == [
        *("e0", "e0#2", "e0#3"),
        *("e1", "e1#2"),
        "e2",
    ]
    letters = bronze_rows(home, "dead_letters")
    assert [(row["line_number"], row["code"], row["pointer"]) for row in letters] == [
        (line, "envelope_violation", "/times") for line in range(4, 9)
    ]
    assert (result.received, result.accepted, result.rejected) == (11, 6, 5)


def test_ids_from_some_fields(home: Home, land: Callable):
    """Equal in those fields, told apart by their place among the equal ones; else another id."""
    sent = [{"a": 1, "b": 1}, {"a": 1, "b": 2}, {"a": 1, "b": 1}, {"a": "1", "b": 1}]
    without_id = {name: value for name, value in ATTEMPT.items() if name != "event_id"}
    land("event_id_from: [a, b]\n", *[without_id | fields for fields in sent])
    ids = [row["event_id"].split("-") for row in bronze_rows(home)]
    assert [place for _, place in ids] == ["1", "1", "2", "3"]
    assert len({stem for stem, _ in ids}) == 2


def test_ids_do_not_depend_on_blocks(
    home: Home, land: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Equal records far apart in a file are counted on."""
    monkeypatch.setattr("loaders.landing.framing.BLOCK_BYTES", 20_000)
    land("event_id_from: all\n", *[ATTEMPT | {"n": n % 7} for n in range(700)])
    places = Counter(row["event_id"].split("-")[1] for row in bronze_rows(home))
    assert places == {str(place): 7 for place in range(1, 101)}


def test_fields_that_ids_come_from_are_kept(home: Home, land: Callable):
    """They may be the only ones that tell two rows apart."""
    land("event_id_from: [request]\n", ATTEMPT | {"request": "r-77"})
    assert "r-77" in str(bronze_rows(home)[0]["additional_data"])


def test_what_a_mapping_overrides_is_kept(home: Home, land: Callable):
    """The field stays in the overflow, as any that no column takes."""
    mapping = "rename: {client: ip}\nconstants: {domain: d.example}\n"
    land(mapping, ATTEMPT | {"client": "1", "ip": "own ip", "domain": "own domain"})
    kept = str(bronze_rows(home)[0]["additional_data"])
    assert "own ip" in kept
    assert "own domain" in kept


def test_a_value_may_become_null(home: Home, land: Callable):
    mapping = "rename: {outcome: error_code}\nvalues: {error_code: {accepted: null}}\n"
    land(mapping, ATTEMPT | {"outcome": "accepted"})
    assert bronze_rows(home)[0]["error_code"] is None


def test_a_field_may_be_named_like_its_column_in_another_case(home: Home, land: Callable):
    mapping = "rename: {Timestamp: timestamp, Email: email}\n"
    land(mapping, ATTEMPT | {"timestamp": None, "Timestamp": "2026-05-01", "Email": "a@b"})
    (row,) = bronze_rows(home)
    assert (row["timestamp"], row["email"]) == (datetime(2026, 5, 1, tzinfo=UTC), "a@b")


def test_booleans_are_spelled_as_json_spells_them(home: Home, land: Callable):
    land(
        "rename: {ok: status}\nvalues: {status: {true: success, false: error}}\n",
        ATTEMPT | {"ok": True},
    )
    assert bronze_rows(home)[0]["status"] == "success"


@pytest.mark.parametrize(
    ("mapping", "reason"),
    [
        ("renames: {a: ip}\n", "knows the keys constants, event_id_from, payload, rename, rows"),
        ("- a\n", "knows the keys"),
        ("{a: b\n", "cannot be read as YAML"),
        ("rename: {a: nothing}\n", "rename names nothing, which attempts has not"),
        ("rename: {a: batch_id}\n", "rename names batch_id, which attempts has not"),
        ("constants: {nothing: 1}\n", "constants names nothing"),
        ("constants: {payload_hash: 1}\n", "constants names payload_hash"),
        ("values: {nothing: {a: b}}\n", "values names nothing"),
        ("types: {nothing: epoch_s}\n", "types names nothing"),
        ("timezone: Lisbon\n", "timezone must be an IANA zone"),
        ("timezone: ../../etc/passwd\n", "timezone must be an IANA zone"),
        ("rename: {'a\"b': ip}\n", "must not hold a quote or a backslash"),
        ("rows: 'a\\b'\n", "must not hold a quote or a backslash"),
    ],
)
def test_a_wrong_mapping_is_named(home: Home, land: Callable, mapping: str, reason: str):
    """In one line, with the file's name, before anything lands."""
    with pytest.raises(AssayError) as caught:
        land(mapping, ATTEMPT)
    assert str(caught.value).startswith("mapping.yml: ")
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)
    assert bronze_rows(home, "landing_ledger") == []


@pytest.mark.parametrize(
    "mapping",
    [
        "rename:\n",
        "values: {status: {K: success, 0: error}}\n",
        "rename: [a]\n",
        "rename: {a: [[ip]]}\n",
        "rename: {1: ip}\n",
        "constants: {domain: 2026-05-01}\n",
        "constants: {domain: [a]}\n",
        "values: {status: success}\n",
        "types: {timestamp: '%Q'}\n",
        "types: {duration: epoch_s}\n",
        "timezone: 5\n",
        "event_id_from: 5\n",
        "event_id_from: everything\n",
        "event_id_from: []\n",
        "rows: 5\n",
        "rows: [a]\n",
    ],
)
def test_a_mapping_of_the_wrong_kind_is_named(home: Home, land: Callable, mapping: str):
    with pytest.raises(AssayError, match=r"^mapping\.yml: "):
        land(mapping, ATTEMPT)
