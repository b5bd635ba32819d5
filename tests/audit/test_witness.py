"""The witness outside the home: what it has, and that a log forged with its head is not believed.

Also the four faults that a log must show, at places that are drawn: a byte that is flipped, a row
that is deleted, an end that is cut off, and two rows that changed places.
"""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
from click.testing import CliRunner
from test_chain import Rows, entry_files, rehashed, rewrite, rows_of

from loaders import audit
from loaders.audit.witness import VARIABLE
from loaders.cli import main
from loaders.errors import AssayError
from loaders.home import Home

ENTRIES = 9


@pytest.fixture
def witness(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "elsewhere.jsonl"
    monkeypatch.setenv(VARIABLE, str(path))
    return path


@pytest.fixture
def log(home: Home, witness: Path) -> Home:
    for number in range(ENTRIES):
        audit.append(home, "query", query_params={"n": number})
    return home


def forge_head(home: Home, rows: Rows) -> None:
    """Make the last of these rows the head that the home keeps."""
    path = home.path / "audit" / "head.json"
    kept = json.loads(path.read_text(encoding="utf-8"))
    kept["entry"] |= {name: rows[-1][name] for name in ("sequence", "hash", "previous_hash")}
    path.write_text(json.dumps(kept), encoding="utf-8")


def told(home: Home) -> list[str]:
    """Each problem, less the name of the chain."""
    return [line.partition(", ")[2] or line for line in audit.verify(home).problems]


def test_the_witness_has_number_and_hash_of_every_entry(log: Home, witness: Path):
    lines = [json.loads(line) for line in witness.read_text(encoding="utf-8").splitlines()]
    rows = rows_of(log)
    assert [(each["producer"], each["sequence"], each["hash"]) for each in lines] == [
        (row["producer"], row["sequence"], row["hash"]) for row in rows
    ]
    assert told(log) == []


def test_a_deleted_row_is_named(log: Home, dice: random.Random):
    gone = dice.randrange(1, ENTRIES)
    entry_files(log)[gone - 1].unlink()
    assert f"entry {gone} is missing" in told(log)


def test_a_deleted_end_is_named_with_and_without_its_head(log: Home, dice: random.Random):
    left = dice.randrange(1, ENTRIES)
    rows = rows_of(log)[:left]
    rewrite(log, rows)
    gone = f"{left + 1}" if left == ENTRIES - 1 else f"{left + 1} to {ENTRIES}"
    cut = f"entry {gone} is missing: the end was cut off"
    seen = f"entry {gone} is missing: the witness has it"
    assert told(log) == [cut, seen]
    forge_head(log, rows)
    assert told(log) == [seen]


def test_a_deleted_log_is_named_where_its_head_went_with_it(log: Home):
    for file in entry_files(log):
        file.unlink()
    (log.path / "audit" / "head.json").unlink()
    assert told(log) == [f"entry 1 to {ENTRIES} is missing: the witness has it"]


@pytest.mark.parametrize("care", ["numbers only", "each hashed anew", "all hashed anew"])
def test_two_rows_that_changed_places_are_named(log: Home, dice: random.Random, care: str):
    """However much care was taken: the two are named, and where the witness stops to agree."""
    one = dice.randrange(1, ENTRIES)
    rows = rows_of(log)
    rows[one - 1], rows[one] = rows[one], rows[one - 1]
    for number in (one, one + 1):
        rows[number - 1]["sequence"] = number
    if care == "each hashed anew":
        hashes = rehashed([dict(row) for row in rows])
        for number in (one, one + 1):
            rows[number - 1]["hash"] = hashes[number - 1]["hash"]
    if care == "all hashed anew":
        rehashed(rows)
        forge_head(log, rows)
    rewrite(log, rows)
    found = told(log)
    assert f"entry {one} has the id of entry {one + 1}: entries were re-ordered" in found
    assert f"entry {one + 1} has the id of entry {one}: entries were re-ordered" in found
    assert f"entry {one} is not the one that the witness has" in found


def test_a_flipped_bit_is_named_or_changes_nothing(log: Home, dice: random.Random):
    """In any byte of a file: its entry is named, or the file, unless every value is as before."""
    before, found = audit.read_entries(log), {"entry": 0, "file": 0, "nothing": 0}
    for _ in range(60):
        number = dice.randrange(ENTRIES)
        file = entry_files(log)[number]
        whole = file.read_bytes()
        place = dice.randrange(len(whole))
        flipped = whole[place] ^ (1 << dice.randrange(8))
        file.write_bytes(whole[:place] + bytes([flipped]) + whole[place + 1 :])
        done = CliRunner().invoke(main, ["audit", "verify", "--home", str(log.path)])
        if done.exit_code == 0:
            assert audit.read_entries(log) == before, (number, place)
            found["nothing"] += 1
        elif f"entry {number + 1} " in done.output:
            found["entry"] += 1
        else:
            assert file.name in done.output, (number, place, done.output, done.exception)
            found["file"] += 1
        file.write_bytes(whole)
    print(found)
    assert found["entry"] + found["file"]


def test_a_flipped_bit_of_each_value_is_named(log: Home, dice: random.Random):
    """A file that is whole, and in which one character of one value is another."""
    row = dice.randrange(ENTRIES)
    for name in ("user_id", "action", "query_params", "hash", "previous_hash", "id"):
        rows = rows_of(log)
        value = bytearray(rows[row][name].encode())
        value[dice.randrange(len(value))] ^= 1
        rows[row][name] = value.decode()
        files = {file: file.read_bytes() for file in entry_files(log)}
        rewrite(log, rows)
        found = told(log)
        for file, content in files.items():
            file.write_bytes(content)
        names = (f"entry {row + 1} was changed", f"entry {row + 1} has the id of entry")
        assert any(line.startswith(names) for line in found), (name, found)


def test_a_log_forged_with_its_head_is_found_by_the_witness_alone(log: Home):
    """And without the witness it is not: this is what the witness is for."""
    rows = rows_of(log)
    rows[3] = rows[3] | {"user_id": "another"}
    rewrite(log, rehashed(rows))
    forge_head(log, rows)
    assert told(log) == ["entry 4 is not the one that the witness has"]
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv(VARIABLE)
        assert told(log) == []


def test_entries_written_without_the_witness_are_named(
    log: Home, witness: Path, monkeypatch: pytest.MonkeyPatch
):
    """Until it is told of the last one, by a command or by the next entry."""
    monkeypatch.delenv(VARIABLE)
    audit.append(log, "query")
    audit.append(log, "query")
    monkeypatch.setenv(VARIABLE, str(witness))
    assert told(log) == [f"entry {ENTRIES + 1} to {ENTRIES + 2} is unknown to the witness"]
    done = CliRunner().invoke(main, ["audit", "witness", "--home", str(log.path)])
    assert done.exit_code == 0, done.output
    assert told(log) == []


def test_nothing_is_given_out_where_the_witness_cannot_be_written(log: Home, witness: Path):
    """The entry is there, and its line comes with the next one; a line torn off is no fault."""
    kept = witness.read_bytes()
    witness.unlink()
    witness.mkdir()
    with pytest.raises(AssayError, match="cannot be written"):
        audit.append(log, "query")
    witness.rmdir()
    witness.write_bytes(kept)
    audit.append(log, "query")
    assert told(log) == []
    assert len(witness.read_text(encoding="utf-8").splitlines()) == ENTRIES + 2

    whole = witness.read_bytes()
    witness.write_bytes(whole[:-30])  # as a process leaves it that is killed while it writes
    assert told(log) == [
        f"line {ENTRIES + 2} of the witness {witness} cannot be read",
        f"entry {ENTRIES + 2} is unknown to the witness",
    ]
    CliRunner().invoke(main, ["audit", "witness", "--home", str(log.path)])
    assert told(log) == []


def test_a_witness_inside_the_home_is_refused_before_anything_is_written(
    home: Home, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv(VARIABLE, str(home.path / "audit" / "witness.jsonl"))
    with pytest.raises(AssayError, match="inside the home"):
        audit.append(home, "query")
    assert entry_files(home) == []


def test_a_witness_that_is_gone_is_a_problem(log: Home, witness: Path):
    witness.unlink()
    assert told(log) == [f"the witness {witness} cannot be read: No such file or directory"]


def test_the_command_says_what_to_do(log: Home, witness: Path):
    rewrite(log, rows_of(log)[:-1])
    done = CliRunner().invoke(main, ["audit", "verify", "--home", str(log.path)])
    assert done.exit_code == 1
    assert f"compared with {witness}" in done.stdout
    assert "fetch the last backup" in done.stdout.splitlines()[-1]


def test_entries_that_expired_are_no_fault(log: Home):
    """Their tombstone answers for them; what it does not name is missing all the same."""
    rows = rows_of(log)
    stone = {"count": 3, "last": 3, "last_hash": rows[2]["hash"]}
    span = {"since": "2020-01-01T00:00:00+00:00", "until": "2020-01-02T00:00:00+00:00"}
    audit.append(log, "retention", result_summary={"tombstone": stone | span})
    files = entry_files(log)
    for file in files[:3]:
        file.unlink()
    assert told(log) == []
    files[3].unlink()
    assert "entry 1 to 4 is missing" in told(log)
