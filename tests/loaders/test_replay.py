"""Dead letters tried again: what is mended lands once, what is not waits, the books balance."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from landed import ATTEMPT, assay, bronze_rows

from loaders import bronze
from loaders.books import read_books
from loaders.checks import check
from loaders.errors import AssayError
from loaders.home import Home, init_home
from loaders.landing import batches, validator
from loaders.landing.batches import land_file
from loaders.landing.replay import replay, waiting
from loaders.sinks.parquet import ParquetSink

Row = dict[str, Any]
# Senders who call the time and the outcome by other names.
SENT = [
    {"event_id": f"e{n}", "when": f"2026-05-01 10:00:{n:02}", "action": "login", "outcome": "ok"}
    for n in range(12)
]
MAPPING = "rename: {when: timestamp, outcome: status}\nvalues: {status: {ok: success}}\n"


def as_lines(rows: list[Row]) -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def as_array(rows: list[Row]) -> bytes:
    return json.dumps(rows, indent=2).encode()


def as_csv(rows: list[Row]) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), delimiter=";")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return init_home(tmp_path / "home")[0]


@pytest.fixture
def mapping(tmp_path: Path) -> Path:
    path = tmp_path / "mapping.yml"
    path.write_text(MAPPING)
    return path


@pytest.fixture
def send(home: Home, tmp_path: Path) -> Callable[..., batches.LandingResult]:
    def send(data: bytes, **options: Any) -> batches.LandingResult:
        (tmp_path / "sent").write_bytes(data)
        return land_file(options.pop("home", home), "attempts", tmp_path / "sent", **options)

    return send


def balanced(home: Home) -> bool:
    batches, _ = read_books(home)
    return not any(batch.problem for batch in batches)


def events(home: Home) -> list[Row]:
    """What bronze holds of the events themselves, by id."""
    own = {"batch_id", "ingested_at", "line_number", "ingest_date"}
    rows = [{k: v for k, v in row.items() if k not in own} for row in bronze_rows(home)]
    return sorted(rows, key=lambda row: row["event_id"])


@pytest.mark.parametrize("form", [as_lines, as_array, as_csv])
def test_mended_letters_land_as_if_they_had_come_so(
    form: Callable[[list[Row]], bytes], home: Home, send: Callable, mapping: Path, tmp_path: Path
):
    """Equal, hash and all, to what the same file lands with the mapping from the start."""
    refused = send(form(SENT))
    assert (refused.accepted, refused.rejected) == (0, len(SENT))
    (result,) = replay(home, mapping_file=mapping)
    assert (result.tried, result.accepted, result.refused) == (len(SENT), len(SENT), 0)
    assert waiting(home) == {}
    assert balanced(home)

    other = init_home(tmp_path / "other")[0]
    send(form(SENT), home=other, mapping_file=mapping)
    assert events(home) == events(other)

    assert replay(home, mapping_file=mapping) == []
    assert len(bronze_rows(home)) == len(SENT)


def test_what_is_refused_again_waits_on(home: Home, send: Callable, mapping: Path):
    """With its bytes as they came, one more try, and the reason of the last one."""
    broken = b'{"event_id": "x", "when": "soon", \xc3\xbc'
    late = as_lines([SENT[0] | {"when": "never"}]).rstrip()
    send(as_lines(SENT[1:3]) + broken + b"\n" + late + b"\n")
    (result,) = replay(home, mapping_file=mapping)
    assert (result.tried, result.accepted, result.refused) == (4, 2, 2)
    assert result.codes == {"payload_malformed": 1, "time_violation": 1}
    assert waiting(home) == {"payload_malformed": 1, "time_violation": 1}
    tries = [
        (row["line_number"], row["attempts"], row["code"], row["resolution"], row["raw"])
        for row in bronze_rows(home, "dead_letters")
        if row["line_number"] > 2
    ]
    assert sorted(tries, key=str) == [
        (3, 1, "payload_malformed", None, broken),
        (3, 2, "payload_malformed", None, broken),
        (4, 1, "envelope_violation", None, late),
        (4, 2, "time_violation", None, late),
    ]
    assert balanced(home)
    (result,) = replay(home, mapping_file=mapping)
    assert (result.tried, result.accepted) == (2, 0)
    assert max(row["attempts"] for row in bronze_rows(home, "dead_letters")) == 3


def test_a_word_that_the_vocabulary_learns_lets_its_records_in(
    home: Home, send: Callable, monkeypatch: pytest.MonkeyPatch
):
    send(as_lines([ATTEMPT | {"action": "let me in"}, ATTEMPT | {"action": "fly"}]))
    assert waiting(home) == {"schema_violation": 2}
    words = {name: dict(known) for name, known in validator.read_vocabulary().items()}
    words["action"]["let_me_in"] = "login"
    monkeypatch.setattr(validator, "read_vocabulary", lambda: words)
    (result,) = replay(home)
    assert (result.accepted, result.codes) == (1, {"schema_violation": 1})
    assert [row["action"] for row in bronze_rows(home)] == ["login"]


def test_only_what_is_asked_for_is_tried(home: Home, send: Callable, mapping: Path):
    first = send(as_lines(SENT[:2]))
    send(as_lines(SENT[2:5]) + b"broken\n")
    tried = {
        "code": replay(home, code="payload_malformed", mapping_file=mapping),
        "batch": replay(home, batch_id=first.batch_id, mapping_file=mapping),
        "table": replay(home, table="deposit_attempts", mapping_file=mapping),
        "all": replay(home, mapping_file=mapping),
    }
    counts = {what: [(r.tried, r.accepted) for r in results] for what, results in tried.items()}
    assert counts == {"code": [(1, 0)], "batch": [(2, 2)], "table": [], "all": [(4, 3)]}


def test_what_may_not_be_kept_cannot_be_tried(
    home: Home, send: Callable, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(batches, "_NEVER_KEPT", {"time_violation"})
    send(as_lines([ATTEMPT | {"timestamp": "soon"}]))
    (result,) = replay(home)
    assert (result.tried, result.not_kept) == (0, 1)
    assert waiting(home) == {"time_violation": 1}


def test_an_open_quote_does_not_reach_into_the_next_letter(home: Home, send: Callable):
    """Two last lines of two files, one of them cut off within its quotes."""
    header = "event_id;timestamp;action;status;fp\n"
    row = "{};2026-05-01;login;{};{}\n"
    send((header + row.format("a", "", '"cut')).encode())
    send((header + row.format("b", "", "x")).encode())
    (result,) = replay(home)
    assert (result.tried, result.codes) == (2, {"payload_malformed": 1, "envelope_violation": 1})


def test_a_replay_that_dies_changes_nothing(
    home: Home, send: Callable, mapping: Path, monkeypatch: pytest.MonkeyPatch
):
    """Before the commit all waits as before; after it, the next replay finds it done."""
    send(as_lines(SENT))
    with monkeypatch.context() as patched:

        def fail(*_: object) -> None:
            raise OSError(28, "No space left on device")

        patched.setattr(bronze.Batch, "commit", fail)
        with pytest.raises(AssayError, match="replay again: nothing was changed"):
            replay(home, mapping_file=mapping)
    assert waiting(home) == {"envelope_violation": len(SENT)}
    assert bronze_rows(home) == []
    with monkeypatch.context() as patched:
        patched.setattr(ParquetSink, "publish", lambda *_: None)
        replay(home, mapping_file=mapping)
    assert bronze_rows(home) == []
    assert replay(home, mapping_file=mapping) == []
    assert len(bronze_rows(home)) == len(SENT)
    assert balanced(home)


def test_the_command_says_what_became_of_them(home: Home, send: Callable, mapping: Path):
    send(as_lines(SENT) + b"broken\n")
    result = assay("replay", "--map", mapping, home=home)
    assert result.returncode == 0, result.stderr
    assert result.stdout == (
        f"attempts: tried {len(SENT) + 1}, accepted {len(SENT)}, refused again 1 "
        "(payload_malformed 1)\n"
    )
    result = assay("replay", "--code", "nothing", "--json", home=home)
    assert json.loads(result.stdout) == {"tables": []}
    assert assay("replay", "--code", "nothing", home=home).stdout == "No dead letters wait.\n"


def test_a_number_that_can_be_read_by_now_is_told(home: Home, send: Callable, tmp_path: Path):
    """Refused again, under another mapping, a record says who sent it."""
    send(as_lines([SENT[0] | {"when": "never", "from": "api-1", "sequence": 4}]))
    mapping = tmp_path / "names.yml"
    mapping.write_text(MAPPING.replace("rename: {", "rename: {from: producer, "))
    replay(home, mapping_file=mapping)
    tries = sorted(bronze_rows(home, "dead_letters"), key=lambda row: row["attempts"])
    assert [(t["producer"], t["sequence"]) for t in tries] == [(None, None), ("api-1", 4)]


def test_what_a_replay_writes_is_as_the_contracts_say(home: Home, send: Callable, mapping: Path):
    send(as_lines(SENT) + b"broken\n")
    replay(home, mapping_file=mapping)
    result = check(home)
    assert result.batches >= 5
    assert result.findings == []
