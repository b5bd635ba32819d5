"""Values of secret fields never reach bronze; what is no secret is not touched."""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from secret_inputs import SAFE_NAMES, SECRET_NAMES, Planter, card_number, found, spaced

from loaders import books
from loaders.cli import main
from loaders.contracts import contract_of
from loaders.errors import AssayError
from loaders.home import Home, bronze_reader, init_home
from loaders.landing import validator
from loaders.landing.batches import land_file
from loaders.landing.mapping import Mapping
from loaders.redaction import blocks, secret_words
from loaders.redaction.cutting import CUT, Cutter
from loaders.redaction.secret_words import SecretWords

SEEDS = range(20 if os.environ.get("ASSAY_LONG") else 3)
RECORDS = 300
REDACTION = blocks.Redaction(contract_of("attempts"), Mapping())


def bronze_text(home: Home, *tables: str) -> str:
    """Every string value of some bronze tables, one after the other."""
    texts = []
    for table in tables:
        for file in (home.bronze / table).rglob("*.parquet"):
            rows = pq.read_table(file, partitioning=None)
            texts += [json.dumps(r, default=str, ensure_ascii=False) for r in rows.to_pylist()]
    return "\n".join(texts)


def land_records(home: Home, folder: Path, records: list[dict[str, object]]) -> Path:
    """Write records as JSON lines and land them."""
    file = folder / "records.jsonl"
    file.write_text("".join(json.dumps(r) + "\n" for r in records), encoding="utf-8")
    land_file(home, "attempts", file)
    return file


def survivors(home: Home, folder: Path, seed: int) -> list[str]:
    """Secrets that are in bronze after records of a seed were landed."""
    planter = Planter(seed)
    planted = [planter.record(i) for i in range(RECORDS)]
    land_records(home, folder, [p.record for p in planted])
    text = bronze_text(home, "attempts", "dead_letters", "landing_ledger")
    return found([secret for p in planted for secret in p.secrets], text)


@pytest.mark.parametrize("seed", SEEDS)
def test_no_secret_survives_and_nothing_else_is_lost(seed: int, home: Home, tmp_path: Path) -> None:
    """Nested records: no marker of a secret is in bronze, every other marker still is."""
    print(f"seed {seed}, {RECORDS} records")
    planter = Planter(seed)
    planted = [planter.record(i) for i in range(RECORDS)]
    land_records(home, tmp_path, [p.record for p in planted])
    text = bronze_text(home, "attempts", "dead_letters", "landing_ledger")
    secrets = [s for p in planted for s in p.secrets]
    assert len(secrets) > RECORDS
    assert found(secrets, text) == []
    # A safe field below a secret one goes with it, and so may what follows one in broken text.
    kept = [k for p in planted for k in p.kept]
    assert len(found(kept, text)) >= 0.98 * len(kept) > RECORDS
    batches, _ = books.read_books(home)
    assert [b.problem for b in batches] == [None]
    assert batches[0].accepted == RECORDS


def test_the_test_sees_a_missing_word(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Planted fault: without one word in the list, its secrets are found in bronze."""
    assert survivors(home, tmp_path, 1) == []
    other, _ = init_home(tmp_path / "other")
    short = SecretWords(long=tuple(w for w in secret_words.LONG if w != "token"))
    monkeypatch.setattr(blocks, "SecretWords", lambda: short)
    assert survivors(other, tmp_path, 1) != []


@pytest.mark.parametrize("seed", SEEDS)
def test_rows_without_secrets_are_untouched(
    seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Clean records land exactly as they do when nothing is ever cut."""
    print(f"seed {seed}")
    planter = Planter(seed)
    records = [planter.record(i, is_clean=True).record for i in range(RECORDS)]
    landed = []
    for name in ("cut", "not cut"):
        if name == "not cut":
            monkeypatch.setattr(blocks.Redaction, "apply", lambda _, block, __: (block, {}))
        home, _ = init_home(tmp_path / name)
        (tmp_path / "records.jsonl").unlink(missing_ok=True)
        land_records(home, tmp_path, records)
        with bronze_reader(home) as reader:
            rows = reader.execute(
                "select * exclude (ingested_at) from bronze.attempts order by line_number"
            )
            landed.append(rows.fetchall())
    assert landed[0] == landed[1]
    assert len(landed[0]) == RECORDS


def test_what_is_cut_is_counted(home: Home, tmp_path: Path) -> None:
    """Ledger, command line and JSON agree; only what landed counts."""
    good = {"event_id": "a", "timestamp": "2026-05-04T08:00:00Z", "action": "login", "status": "ok"}
    records = [
        {**good, "query": "password=x&otp=1&a=b"},
        {**good, "event_id": "b", "resp": {"token": "y"}},
        {**good, "event_id": "c"},
        {"event_id": "d", "query": "password=kept-in-the-dead-letter"},
    ]
    file = tmp_path / "records.jsonl"
    file.write_text("".join(json.dumps(r) + "\n" for r in records))
    run = CliRunner().invoke(main, ["land", "attempts", str(file), "--home", str(home.path)])
    assert "secret values cut 3" in run.output
    with bronze_reader(home) as reader:
        ledger = reader.execute("select cut from bronze.landing_ledger").fetchall()
        raw = reader.execute("select raw from bronze.dead_letters").fetchall()
    assert ledger == [(3,)]
    # The refused record is evidence, whole, in bronze's restricted column.
    assert raw == [(json.dumps(records[3]).encode(),)]


def test_the_payload_hash_is_of_what_was_kept(home: Home, tmp_path: Path) -> None:
    """Two records that differ in a password alone have the same payload hash."""
    good = {"event_id": "a", "timestamp": "2026-05-04T08:00:00Z", "action": "login", "status": "ok"}
    land_records(
        home,
        tmp_path,
        [{**good, "additional_data": {"password": word, "x": 1}} for word in ("one", "two")],
    )
    with bronze_reader(home) as reader:
        rows = reader.execute("select additional_data, payload_hash from bronze.attempts")
        one, two = rows.fetchall()
    assert one == two
    assert one[0] == f'{{"password":"{CUT}","x":1}}'


@pytest.mark.parametrize("seed", [seed + 100 for seed in SEEDS])
def test_the_quick_look_misses_nothing_that_the_long_one_finds(seed: int) -> None:
    """Every column on its own, escaped or not: the records passed over hold nothing to cut."""
    print(f"seed {seed}")
    planter = Planter(seed)
    docs, counts = [], {}
    for number in range(500):
        record = planter.record(number).record
        column = planter.rng.choice(["query", "resp", "aff_data", "additional_data"])
        document = json.dumps({column: record[column]}, ensure_ascii=planter.rng.random() < 0.5)
        cutter = Cutter()
        cutter.record(document, plain=())
        docs.append(document)
        if cutter.count:
            counts[number] = cutter.count
    block = pa.table({"line_number": range(500), "doc": pa.array(docs, pa.large_string())})
    assert len(counts) > 100
    with validator.Validator(contract_of("attempts"), Mapping(), "eu") as reader:
        assert reader.rows(block)[1] == counts


@pytest.mark.parametrize("kind", ["csv", "parquet", "array", "gzip"])
def test_every_format_is_cut(kind: str, home: Home, tmp_path: Path) -> None:
    """The secret goes whatever the file's format is."""
    record = {
        "event_id": "a",
        "timestamp": "2026-05-04T08:00:00Z",
        "action": "login",
        "status": "error",
        "additional_data": '{"password": "xyzzy-1"}',
        "Card Number": "xyzzy-2",
    }
    file = tmp_path / "file"
    if kind == "csv":
        duckdb.from_arrow(pa.table({k: [v] for k, v in record.items()})).write_csv(str(file))
    elif kind == "parquet":
        pq.write_table(pa.table({k: [v] for k, v in record.items()}), file)
    elif kind == "array":
        file.write_text(json.dumps([record]))
    else:
        file.write_bytes(gzip.compress(json.dumps(record).encode()))
    assert land_file(home, "attempts", file).accepted == 1
    assert "xyzzy" not in bronze_text(home, "attempts")


def test_a_key_made_of_a_secret_is_refused() -> None:
    """Ids derived from a field that is cut would fall together, so the mapping is refused."""
    with pytest.raises(AssayError, match="session_token"):
        blocks.Redaction(contract_of("attempts"), Mapping(event_id_from=("session_token",)))


@pytest.mark.parametrize("name", SECRET_NAMES)
def test_spellings_are_secret(name: str) -> None:
    assert SecretWords().is_secret(name)


@pytest.mark.parametrize("name", SAFE_NAMES)
def test_names_that_only_look_alike_are_not(name: str) -> None:
    assert not SecretWords().is_secret(name)


@pytest.mark.parametrize(
    "text",
    [
        '{"a": [1e400, 123456789012345678901234567890, 0.4111111111111111]}',
        '{"errors":[{"message":"Password too weak.","extensions":{"field":"password"}}]}',
        '{"password": null, "has_token": true, "otp": ""}',
        "Incorrect email or password.",
        "at 1780000000000 and 1780000000000000 and 1780000000000000000",
        "5eb561a4216363698b529b4a97b75092",
        "123e4567-4111-1111-1111-111426614174",
        "4111111111111112",
        "a=b&c=%22d%22",
        "\ud800 lone",
    ],
)
def test_texts_without_a_secret_stay(text: str) -> None:
    """Numbers of any size, words about passwords, times and ids are no secrets."""
    cutter = Cutter()
    assert (cutter.text(text), cutter.count) == (text, 0)


@settings(max_examples=300, deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(2, 10**12) | st.text(max_size=8),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from([*SAFE_NAMES, *SECRET_NAMES]), inner, max_size=3)
        ),
        max_leaves=15,
    )
)
def test_cutting_is_right_by_a_plain_reading(tree: object) -> None:
    """Against a few lines that walk the parsed tree: the same names, values and places."""
    found = json.loads(Cutter().text(json.dumps({"root": tree})))["root"]
    assert found == _walked(tree)


def _walked(tree: object) -> object:
    if isinstance(tree, list):
        return [_walked(item) for item in tree]
    if isinstance(tree, dict):
        return {
            key: CUT
            if key in SECRET_NAMES and value not in (None, True, False, "")
            else _walked(value)
            for key, value in tree.items()
        }
    return tree


@settings(max_examples=200, deadline=None)
@given(
    st.randoms(use_true_random=False), st.sampled_from(["", "see ", "12 ", "card", "n=", "é", "a+"])
)
def test_card_numbers_go_wherever_they_stand(rng, before: str) -> None:
    """A number with a right check digit goes, one with a wrong one stays."""
    number = card_number(rng)
    typed = spaced(number, rng)
    text = f"{before}{typed} end"
    redacted, counts = REDACTION.apply(
        pa.table(
            {
                "line_number": [7],
                "doc": pa.array([json.dumps({"resp": text})], pa.large_string()),
            }
        ),
        [7],
    )
    assert json.loads(redacted["doc"][0].as_py())["resp"] == f"{before}{CUT} end"
    assert counts == {7: 1}
    wrong = number[:-1] + str((int(number[-1]) + 1) % 10)
    assert Cutter().text(f"x {wrong} end") == f"x {wrong} end"


@pytest.mark.parametrize(
    "text",
    [
        "password=" + " " * 2_000_000,
        "a " * 1_000_000 + ":",
        "%25" * 1_000_000,
        "%" + "25" * 500_000,
        "1 " * 1_000_000,
        "password=[" * 200_000,
        "password=x&" * 50_000,
        '{"a":' * 200_000,
        "[" * 1_000_000,
        "<" * 1_000_000 + ">",
        '\\"' * 500_000 + ":",
    ],
    ids=lambda text: text[:12],
)
def test_hostile_texts_take_linear_time(text: str) -> None:
    """A million characters of what tempts a regular expression to go back take seconds.

    Where they do not, they take days, so the time that any test has is enough to tell.
    """
    Cutter().text(text)
