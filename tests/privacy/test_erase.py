"""After an erasure nothing of the person is in any file, and the books still balance."""

from __future__ import annotations

import base64
import json
import re
import shutil
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import one_person
import pytest
from click.testing import CliRunner
from conftest import Demo, run_dbt
from one_person import EMAIL, USER, places
from spooling import drain

from loaders import audit
from loaders.books import read_books
from loaders.cli import main
from loaders.collector.spool import Spool
from loaders.erasure import bronze as in_bronze
from loaders.erasure import erase as erasure
from loaders.erasure import restricted, silver, spool
from loaders.erasure.erase import Erased
from loaders.erasure.subject import Subject, domains, kinds
from loaders.gaps import read_gaps
from loaders.gold.marts import models_of
from loaders.home import Home, Target, bronze_reader, mark_home
from loaders.project import PROJECT
from loaders.retention import retain as retention

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("artifacts")]

LIVE = "v2:"
NEXT_MONTH = (datetime.now(UTC).date().replace(day=1) + timedelta(days=40)).replace(day=1)
EVERYWHERE = {
    "bronze/attempts",
    "bronze/dead_letters",
    "bronze/platform_events",
    "exports/old.bin",
    "exports/people.csv",
    "gold_restricted.top_contributors",
    "restricted/releases",
    "silver.int_access__published_attempts",
    "silver.int_engagement__first_days",
    "silver.int_engagement__published_activity",
    "silver.int_engagement__published_contributions",
    "silver.stg_access__attempts",
    "silver.stg_engagement__events",
    "spool",
    "warehouse.duckdb",
}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """The home before; to be copied."""
    return one_person.make(tmp_path_factory.mktemp("person") / "home")


@pytest.fixture
def planted(made: Home, tmp_path: Path) -> Home:
    shutil.copytree(made.path, tmp_path / "home", symlinks=True)
    return Home(tmp_path / "home")


@pytest.fixture(scope="module")
def erased(made: Home, tmp_path_factory: pytest.TempPathFactory) -> tuple[Home, list[Erased]]:
    """One person, known by two kinds of value, erased as one request."""
    home = Home(tmp_path_factory.mktemp("erased") / "home")
    shutil.copytree(made.path, home.path, symlinks=True)
    return home, erase_both(home)


def erase_both(home: Home) -> list[Erased]:
    by_mail = erasure.erase(home, Subject.of("email", [EMAIL]), "request-1", delete_files=True)
    return by_mail + erasure.erase(
        home, Subject.of("user_id", [USER]), "request-1", delete_files=True
    )


def found_in(home: Home) -> set[str]:
    return {"spool" if place.startswith("spool/") else place for place in places(home)}


def gold_of(
    home: Home, mart: str, columns: str = "* exclude (updated_at)"
) -> list[tuple[Any, ...]]:
    with duckdb.connect(str(home.warehouse), read_only=True) as warehouse:
        return warehouse.execute(f"select {columns} from gold.{mart} order by all").fetchall()


def run(home: Home, *words: str, given: str = "") -> tuple[int, str]:
    result = CliRunner().invoke(main, [*words, "--home", str(home.path)], input=given)
    return result.exit_code, result.output


def test_before_the_person_is_everywhere(made: Home) -> None:
    """Positive control: each place that is searched is one where something was."""
    assert found_in(made) == EVERYWHERE


def test_after_it_there_is_nothing(erased: tuple[Home, list[Erased]]) -> None:
    home, results = erased
    print([result.rows for result in results])
    assert [result.found for result in results] == [[], []]
    assert found_in(home) == set()
    assert not any((home.path / "erasures").iterdir())


def test_nobody_else_is_gone(made: Home, erased: tuple[Home, list[Erased]]) -> None:
    """Other people's rows are as they were, also of whoever has nearly the same address."""
    home, results = erased
    for table in ("attempts", "platform_events"):
        rows = {}
        for which in (made, home):
            with bronze_reader(which, table) as reader:
                rows[which] = reader.execute(
                    f"select * from bronze.{table} where payload_hash is not null"
                ).fetchall()
        assert len(rows[home]) == (15 if table == "attempts" else 28)
        assert set(rows[home]) < set(rows[made])
    assert results[0].rows["attempts"] == 4
    assert results[1].rows["platform_events"] == 2


def test_an_empty_line_is_left(erased: tuple[Home, list[Erased]]) -> None:
    """Where it stood and when it landed, and nothing of the event."""
    home, _ = erased
    with bronze_reader(home, "attempts") as reader:
        left = reader.execute(
            "select * exclude (event_id, ingest_date) from bronze.attempts "
            "where payload_hash is null limit 1"
        )
        names = [column[0] for column in left.description]
        (row,) = left.fetchall()
    assert {name for name, value in zip(names, row, strict=True) if value is not None} == {
        *("batch_id", "line_number", "ingested_at", "source_system", "pipeline_version")
    }


def test_the_books_balance_and_no_number_is_missing(erased: tuple[Home, list[Erased]]) -> None:
    home, _ = erased
    assert {batch.problem for batch in read_books(home)[0]} == {None}
    assert read_gaps(home) == []
    assert audit.verify(home).problems == []


def test_it_is_booked_without_the_value(erased: tuple[Home, list[Erased]]) -> None:
    home, _ = erased
    with bronze_reader(home, "audit_log", "pipeline_runs") as reader:
        entries = reader.execute(
            "select query_params from bronze.audit_log where action = 'erasure' order by timestamp"
        ).fetchall()
        runs = reader.execute("select stage, status from bronze.pipeline_runs").fetchall()
    said = [json.loads(entry) for (entry,) in entries]
    assert [(entry["kind"], entry["request_id"]) for entry in said] == [
        ("email", "request-1"),
        ("user_id", "request-1"),
    ]
    assert all(re.fullmatch(r"v2:[0-9a-f]{64}", entry["subject"]) for entry in said)
    assert runs == [("erase", "succeeded")] * 2


def test_fewer_than_k_do_not_change_what_is_published(planted: Home) -> None:
    """R7. Until the month is over: then the person is in no figure, and the rest is as it was."""
    marts = ("attempts_daily", "contribution_stats", "user_activity", "loss_ledger")
    before = {mart: gold_of(planted, mart) for mart in marts}
    erase_both(planted)
    assert silver.waiting(planted)[0] == 1
    one_person.build(planted)
    assert {mart: gold_of(planted, mart) for mart in marts} == before
    assert silver.forget(planted) == 0
    assert silver.forget(planted, NEXT_MONTH) == 1
    one_person.build(planted)
    run_dbt(planted, "test", "--indirect-selection", "cautious", "--select", *one_person.MODELS)
    assert figures(planted) == (15, 14, 14 * 10 + sum(range(14)))
    assert {batch.problem for batch in read_books(planted)[0]} == {None}
    with duckdb.connect(str(planted.warehouse), read_only=True) as warehouse:
        codes = warehouse.execute(
            "select code, count(*) from silver.int_access__duplicates group by 1 order by 1"
        ).fetchall()
        assert codes == [("duplicate_exact", 1), ("erased", 3)]
        assert warehouse.execute(
            "select count(*) from gold.loss_ledger where not balanced"
        ).fetchall() == [(0,)]
    assert found_in(planted) == set()


def figures(home: Home) -> tuple[int, int, int]:
    """Attempts in silver, members of a day, and their points in silver."""
    with duckdb.connect(str(home.warehouse), read_only=True) as warehouse:
        return warehouse.execute(
            "select (select count(*) from silver.int_access__published_attempts), "
            "(select count(distinct user_key) from silver.int_engagement__published_activity), "
            "(select sum(points) from silver.int_engagement__published_contributions)"
        ).fetchall()[0]


def test_k_people_are_enough(planted: Home) -> None:
    """The tenth request lets all go, whatever the day."""
    for number in range(9):
        with duckdb.connect(str(planted.warehouse)) as warehouse:
            warehouse.execute(
                "create table if not exists main.erased (request_id varchar, erased_on date)"
            )
            today = datetime.now(UTC).date()
            warehouse.execute("insert into main.erased values (?, ?)", [f"r{number}", today])
    assert silver.forget(planted) == 0
    erasure.erase(planted, Subject.of("user_id", [USER]), "r0", delete_files=True)
    assert silver.forget(planted) == 0, "one person twice is one"
    erasure.erase(planted, Subject.of("email", [EMAIL]), "r9", delete_files=True)
    assert silver.forget(planted) == 10
    assert silver.waiting(planted)[0] == 0


PSEUDONYMS = Subject.pseudonyms
SABOTAGE: dict[str, tuple[tuple[object, str], Callable[..., Any], set[str]]] = {
    "the spool": ((spool, "erase"), lambda *_: 0, {"spool"}),
    "bronze": (
        (in_bronze, "erase"),
        lambda *_: {},
        {"bronze/attempts", "bronze/dead_letters", "bronze/platform_events"},
    ),
    "dead letters": (
        (in_bronze, "_without_bytes"),
        lambda *_: None,
        {"bronze/dead_letters"},
    ),
    "silver": (
        (silver, "unlink"),
        lambda *_: {},
        {place for place in EVERYWHERE if place.startswith(("silver.", "gold_restricted."))}
        | {"warehouse.duckdb"},
    ),
    "restricted releases": ((restricted, "erase"), lambda *_: 0, {"restricted/releases"}),
    "freed blocks": ((erasure, "rewrite_file"), lambda *_: None, {"warehouse.duckdb"}),
    "other keys": (
        (Subject, "pseudonyms"),
        lambda subject, keys: PSEUDONYMS(subject, keys[:1]),
        {"silver.int_engagement__first_days", "gold_restricted.top_contributors"},
    ),
}


@pytest.mark.parametrize("place", SABOTAGE)
def test_an_erasure_that_forgets_a_place_is_found(
    planted: Home, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    """Each place in turn: by the search of this test, and by the command's own."""
    (owner, name), instead, left = SABOTAGE[place]
    monkeypatch.setattr(owner, name, instead)
    results = erase_both(planted)
    assert found_in(planted) >= left
    if place != "other keys":  # which the command itself does not know then
        assert any(result.found for result in results)
    monkeypatch.undo()
    assert all(result.found == [] for result in erasure.erase(planted, None, delete_files=True))


def test_files_of_others_are_named_and_not_touched(planted: Home) -> None:
    """Exports, until it is asked for; the request stays open, its note is for the owner alone."""
    code, said = run(planted, "erase", "--kind", "email", given=f"{EMAIL}\n")
    assert code == 1
    assert [line for line in said.splitlines() if line.startswith("still in")] == [
        "still in: exports/old.bin",
        "still in: exports/people.csv",
    ]
    assert EMAIL not in said
    (note,) = (planted.path / "erasures").iterdir()
    assert note.stat().st_mode & 0o077 == 0
    code, said = run(planted, "erase", "--again", "--delete-files")
    assert code == 0, said
    assert "deleted: exports/people.csv" in said
    assert not (planted.path / "exports" / "people.csv").exists()
    assert run(planted, "erase", "--again") == (0, "All is done.\n")


def test_a_killed_erasure_is_completed_by_the_next(
    planted: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ended after each place in turn; whoever comes next needs no value."""
    for module, name in (
        (spool, "erase"),
        (in_bronze, "erase"),
        (silver, "unlink"),
        (restricted, "erase"),
    ):
        work = getattr(module, name)

        def and_die(*given: Any, work: Callable[..., Any] = work) -> None:
            work(*given)
            raise KeyboardInterrupt

        monkeypatch.setattr(module, name, and_die)
        with pytest.raises(KeyboardInterrupt):
            if module is spool:
                erasure.erase(planted, Subject.of("email", [EMAIL]))
            else:
                erasure.erase(planted, None)
        monkeypatch.setattr(module, name, work)
    (result,) = erasure.erase(planted, None, delete_files=True)
    assert result.found == []
    erasure.erase(planted, Subject.of("user_id", [USER]), delete_files=True)
    assert found_in(planted) == set()
    assert {batch.problem for batch in read_books(planted)[0]} == {None}


def test_retention_takes_what_was_erased_with_its_batch(planted: Home) -> None:
    erase_both(planted)
    later = date.today() + timedelta(days=100)
    done = retention.retain(planted, today=later)
    assert done.waiting == {}
    assert {"attempts", "platform_events", "dead_letters"} <= {due.table for due in done.due}
    assert {batch.problem for batch in read_books(planted)[0]} <= {None}


def test_a_new_batch_is_read_past_empty_lines(planted: Home) -> None:
    """A line that is empty before silver has read it is counted as erased."""
    again = [row | {"event_id": f"new-{n}"} for n, row in enumerate(one_person.attempts())]
    one_person.land(
        planted, "attempts", [row for row in again if "bad" not in row["event_id"]][:16]
    )
    erasure.erase(planted, Subject.of("email", [EMAIL]), delete_files=True)
    one_person.build(planted)
    assert {batch.problem for batch in read_books(planted)[0]} == {None}
    with duckdb.connect(str(planted.warehouse), read_only=True) as warehouse:
        erased = warehouse.execute(
            "select count(*) from silver.int_access__duplicates where code = 'erased'"
        ).fetchall()
    assert erased == [(2,)]


def test_bigquery_homes_are_told_what_to_do(tmp_path: Path) -> None:
    home = Home(tmp_path)
    mark_home(home, "eu", Target("p", "d", "europe-west1"))
    code, said = run(home, "erase", "--kind", "email", given=EMAIL)
    assert code == 1
    assert "docs/retention.md" in said
    assert EMAIL not in said


def test_nothing_is_erased_for_nothing(home: Home) -> None:
    assert run(home, "erase", "--kind", "email", given=" \n")[0] == 1
    assert run(home, "erase")[0] == 2
    assert run(home, "erase", "--kind", "phone", given="none")[0] == 1


LOOKS = {
    "raw": b"jane.planted@example.org",
    "in other case": b'"Jane.Planted@Example.ORG"',
    "in a query": b"a=1&to=jane.planted%40example.org&b",
    "in JSON in a query": b"%22jane.planted%40example.org%22",
    "escaped JSON": b"jane.planted\\u0040example.org",
    "UTF-16": "jane.planted@example.org".encode("utf-16"),
    "hex": b"6a616e652e706c616e746564406578616d706c652e6f7267",
    "base64": b"xxamFuZS5wbGFudGVkQGV4YW1wbGUub3Jn",
}


@pytest.mark.parametrize("look", LOOKS)
def test_a_value_is_found_however_it_is_written(look: str) -> None:
    assert Subject.of("email", [EMAIL]).is_in(LOOKS[look])


def test_a_value_is_not_found_within_another() -> None:
    """An address that ends in another one is somebody else's, and so is a longer number."""
    person = Subject.of("email", ["ann@example.org"])
    assert not person.is_in(b"joann@example.org")
    assert not person.is_in(b"ann@example.organic")
    assert person.is_in(b"<ann@example.org>")
    phone = Subject.of("phone", ["+49 170 1234567"])
    assert phone.is_in(b"49-170-1234567.")
    assert not phone.is_in(b"491701234567890")
    assert Subject.of("user_id", ["42"]).text_pattern is None


def test_every_table_that_holds_a_pseudonym_is_looked_into(demo: Demo) -> None:
    """Of a home in which all models are built, by what the tables hold."""
    holding = set()
    with duckdb.connect(str(demo.home.warehouse), read_only=True) as warehouse:
        known = {table.name for table in silver._tables(warehouse)}
        for schema, table, column in warehouse.execute(
            "select schema_name, table_name, column_name from duckdb_columns() "
            "join duckdb_tables() using (database_name, schema_name, table_name) "
            "where schema_name in ('silver', 'gold_restricted') and data_type = 'VARCHAR'"
        ).fetchall():
            is_pseudonym = f"regexp_matches({column}, '^v[0-9]+:[0-9a-f]{{64}}$')"
            (there,) = warehouse.execute(
                f"select coalesce(bool_or({is_pseudonym}), false) from {schema}.{table}"
            ).fetchall()[0]
            holding |= {f"{schema}.{table}"} if there else set()
    assert len(holding) > 30
    assert holding - known == set()


@pytest.mark.parametrize("before", ["", " ", "  ", '{"id":"'])
def test_an_encoded_value_is_not_found_within_another(before: str) -> None:
    """Encoded, one id looks like the beginning of the next one, and of the name of a field."""
    person = Subject.of("customer_id", ["customer-1"])
    for other in ("customer-10", "customer-2", "customer_id", "customer-1"):
        for after in ("", '","amount":1}', " and more"):
            text = f"{before}{other}{after}".encode()
            encodings = (
                base64.b64encode(text),
                base64.urlsafe_b64encode(text),
                text.hex().encode(),
            )
            for encoded in encodings:
                assert person.is_in(b"<" + encoded + b">") is (other == "customer-1"), text
                assert not person.is_in(encoded[: len(encoded) // 3])


def test_pseudonyms_are_those_that_the_models_make() -> None:
    """Every domain in which silver hashes a column that names people is known to an erasure."""
    said = {
        (column, domain)
        for sql in (PROJECT / "models" / "silver").rglob("*.sql")
        for column, domain in re.findall(
            r"pseudonymize\('(\w+)', '([\w.]+)'\)", sql.read_text(encoding="utf-8")
        )
    }
    of_claims = {"claim_of_partner", "proof_id"}  # name a claim; its rows are found by their lines
    # A merchant is a company, and a word the text of a feature, found by its decision.
    of_nobody = {*of_claims, "merchant_id", "word"}
    assert {column for column, _ in said} <= {*kinds(), "user_id", *of_nobody}
    of_people = {(column, domain) for column, domain in said if column not in of_nobody}
    known = {(kind, domain) for kind in kinds() for domain in domains(kind)}
    assert of_people == {(kind, domain) for kind, domain in known if kind != "claim_id"}
    for mart in models_of("gold_restricted"):
        (sql,) = (PROJECT / "models" / "gold_restricted").rglob(f"{mart}.sql")
        assert f"'restricted.{mart}'" in sql.read_text(encoding="utf-8")


def test_what_waits_in_the_spool_lands_empty(planted: Home) -> None:
    """Nothing is missing: the record is a dead letter without bytes, that of another is whole."""
    erasure.erase(planted, Subject.of("email", [EMAIL]), delete_files=True)
    with Spool(planted.path / "spool", 1 << 20) as waiting:
        drain(planted, waiting)
    with bronze_reader(planted, "dead_letters", "attempts") as reader:
        letters = reader.execute(
            "select raw, event_id from bronze.dead_letters where code = 'erased'"
        ).fetchall()
        landed = reader.execute(
            "select event_id from bronze.attempts where source_system = 'web'"
        ).fetchall()
    assert letters == [(None, None)]
    assert landed == [("attempt-13",)]
    assert {batch.problem for batch in read_books(planted)[0]} == {None}
    assert not {place for place in places(planted) if EMAIL in place}
