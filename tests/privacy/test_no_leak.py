"""No key, no raw identifier and no hash or pseudonym of one is in what dbt writes or we publish."""

from __future__ import annotations

import base64
import hashlib
import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest
from byte_search import Needles, as_text, encodings, files, search
from conftest import Demo, run_dbt

from loaders.contracts import Contract, contract_of
from loaders.contracts.events import load_events
from loaders.gold.publish import publish
from loaders.home import Home, bronze_reader
from loaders.landing.batches import land_file

pytestmark = pytest.mark.usefixtures("artifacts")

DIRECT = {"email", "phone", "ip", "fp"}
# What leads to one person in payloads of events.
OF_PAYLOADS = {
    field.name for event in load_events() for field in event.fields if field.privacy == "identifier"
}
KEYS = {  # pseudonyms in silver, by bronze table
    "attempts": ("email_key", "phone_key", "fp_key", "ip_key", "payload_key"),
    "deposit_attempts": ("email_key", "phone_key", "fp_key", "ip_key", "payload_key", "user_key"),
    "claim_events": ("customer_key", "claim_key", "proof_key", "payload_key"),
    "fraud_decisions": (
        "transaction_key",
        "customer_key",
        "device_key",
        "merchant_key",
        "payload_key",
    ),
    "fraud_outcomes": ("transaction_key", "customer_key", "payload_key"),
    "fraud_attributions": ("customer_key", "payload_key"),
    "platform_events": ("user_key", "payload_key", "submission_key", "bet_key", "payment_key"),
}
SHORTEST = 6  # characters; shorter values would be found anywhere


@dataclass(frozen=True)
class Used:
    """A copy of the demo home after a day of use, and what must not be found in it."""

    home: Home
    keys: Needles
    people: Needles

    @property
    def written(self) -> list[Path]:
        home = self.home
        return [
            home.path / "target",
            home.path / "logs",
            home.published,
            home.published_file,
            home.partners,
            *sorted(home.path.glob("published_partner_*")),
            home.restricted,
            home.restricted_file,
        ]


@pytest.fixture(scope="module")
def used(demo: Demo, tmp_path_factory: pytest.TempPathFactory) -> Used:
    """Published, documented, and then built without a key, on new attempts and on broken silver."""
    home = Home(tmp_path_factory.mktemp("used") / "home")
    shutil.copytree(demo.home.path, home.path, symlinks=True)
    keys, people = Needles(key_needles(home)), Needles(people_needles(home))
    publish(home)
    run_dbt(home, "docs", "generate")
    fail_a_test(home)
    land_again(home, demo.files[-1])
    with duckdb.connect(str(home.vault)) as vault:
        vault.execute("update salts set retired_at = now()")
    failed = run_dbt(home, "build", check=False)
    assert failed.returncode != 0
    assert "No key in the vault" in failed.stdout
    (home.path / "logs" / "printed.txt").write_text(failed.stdout, encoding="utf-8")
    return Used(home, keys, people)


def fail_a_test(home: Home) -> None:
    """Double an attempt in silver, and let the test that sees it fail."""
    with duckdb.connect(str(home.warehouse)) as warehouse:
        warehouse.execute(
            "insert into silver.stg_access__attempts from silver.stg_access__attempts limit 3"
        )
    failed = run_dbt(home, "test", "--select", "stg_access__attempts", check=False)
    assert failed.returncode == 1
    assert "FAIL 3 unique_stg_access__attempts_event_id" in failed.stdout
    (home.path / "logs" / "printed-test.txt").write_text(failed.stdout, encoding="utf-8")


def land_again(home: Home, file: Path) -> None:
    """Land the attempts of a file once more, as new ones of the same people."""
    again = home.path / "again.jsonl"
    lines = []
    for number, line in enumerate(file.read_text(encoding="utf-8", errors="replace").splitlines()):
        try:
            lines.append(json.dumps({**json.loads(line), "event_id": f"again{number}"}))
        except (TypeError, ValueError):
            continue
    again.write_text("\n".join(lines), encoding="utf-8")
    assert land_file(home, "attempts", again).accepted > 100


def key_needles(home: Home) -> dict[bytes, str]:
    """The key and its pads, whole and in halves of 16 bytes, in every encoding.

    The last 32 bytes of a pad are the same for every key, and say nothing.
    """
    with duckdb.connect(str(home.vault), read_only=True) as vault:
        pads = vault.execute("select ipad, opad from salts").fetchall()
    needles: dict[bytes, str] = {}
    for inner, outer in pads:
        key = bytes(byte ^ 0x36 for byte in inner)
        for what, secret in {"key": key[:32], "ipad": inner, "opad": outer}.items():
            for piece in (secret, secret[:32], secret[:16], secret[16:32]):
                for form, encoding in encodings(piece).items():
                    needles[form] = f"{what}, {encoding}"
    return needles


def people_needles(home: Home) -> dict[bytes, str]:
    """Each raw identifier of the demo as sent and as cleaned, its plain hashes, its pseudonyms."""
    needles: dict[bytes, str] = {}
    seen: set[str] = set()  # a payment is also what a wallet refers to: one needle, two names
    with (
        bronze_reader(home) as bronze,
        duckdb.connect(str(home.warehouse), read_only=True) as warehouse,
    ):
        for table, keys in KEYS.items():
            contract = contract_of(table)
            for name, value in raw_identifiers(contract):
                values = bronze.execute(f"select distinct {value} from bronze.{table}").fetchall()
                for (text,) in values:
                    if text is not None and len(text) >= SHORTEST and text != "undefined":
                        needles.update(dict.fromkeys(forms_of(text), name))
                        seen.add(name)
            for key in keys:
                pseudonyms = warehouse.execute(
                    f"select distinct {key} from silver.{contract.silver} where {key} is not null"
                ).fetchall()
                assert pseudonyms
                needles.update({pseudonym.encode(): key for (pseudonym,) in pseudonyms})
    assert seen >= DIRECT | {"user_id", "submission_id", "bet_id", "payment_id"}
    return needles


def raw_identifiers(contract: Contract) -> Iterator[tuple[str, str]]:
    """Name and SQL of what identifies people in a bronze table, in payloads too."""
    for column in contract.columns:
        if column.privacy in ("direct_identifier", "identifier"):
            yield column.name, column.name
    for name in sorted(OF_PAYLOADS) if contract.payload else []:
        head, *tail = name.split("_")
        for spelling in (name, head + "".join(map(str.capitalize, tail))):
            yield name, f"json_extract_string({contract.payload}, '$.{spelling}')"


def forms_of(value: str) -> set[bytes]:
    cleaned = value.strip().lower()
    texts = {value, cleaned, value.upper()}
    if value.startswith("+"):
        texts.add("".join(filter(str.isdigit, value)))
    hashes = {
        digest(text.encode()).hexdigest()
        for text in (value, cleaned)
        for digest in (hashlib.md5, hashlib.sha1, hashlib.sha256)
    }
    return {text.encode() for text in texts | hashes}


def by_name(found: dict[str, set[str]]) -> dict[str, set[str]]:
    return {Path(file).name: names for file, names in found.items()}


def test_the_key_is_nowhere(used: Used) -> None:
    """R2: not in SQL, manifest, run results, logs, docs, nor in what is published."""
    assert len(used.keys.names) >= 50
    searched = [file for root in used.written for file in files(root)]
    size = sum(file.stat().st_size for file in searched)
    print(f"{len(used.keys.names)} needles, {len(searched)} files, {size / 1e6:.1f} MB")
    assert search(used.keys, used.written) == {}


def test_nobody_is_in_it(used: Used) -> None:
    """R1 and R17: no e-mail, phone, address, fingerprint or event id, nor what is made of them."""
    kinds = list(used.people.names.values())
    print({kind: kinds.count(kind) for kind in sorted(set(kinds))})
    assert len(kinds) > 100_000
    assert search(used.people, used.written) == {}


def test_nobody_is_in_the_warehouse_but_by_pseudonym(used: Used, demo: Demo) -> None:
    """What people are found by ends where silver begins, plain hashes of it too."""
    ended = DIRECT | OF_PAYLOADS | {"user_id", "trace_id"}
    direct = {needle: name for needle, name in used.people.names.items() if name in ended}
    needles = Needles(direct)
    with duckdb.connect(str(demo.home.warehouse), read_only=True) as warehouse:
        tables = warehouse.execute(
            "select schema_name || '.' || table_name from duckdb_tables()"
        ).fetchall()
        texts = {table: as_text(warehouse.sql(f"from {table}")) for (table,) in tables}
    found = {table: needles.names_in(text) for table, text in texts.items()}
    print(f"{len(direct)} needles, {len(tables)} tables")
    assert used.people.names_in(texts["silver.stg_access__attempts"]) == {
        *("event_id", "email_key", "phone_key", "fp_key", "ip_key", "payload_key")
    }
    assert {table: names for table, names in found.items() if names} == {}
    assert search(needles, [demo.home.warehouse]) == {}


def test_what_was_searched_is_what_must_be(used: Used) -> None:
    """An artifact that is missing, or a build that did not fail, would prove nothing."""
    names = {file.name for root in used.written for file in files(root)}
    assert names >= {
        "manifest.json",
        "run_results.json",
        "catalog.json",
        "index.html",
        "partial_parse.msgpack",
        "dbt.log",
        "stg_access__attempts.sql",
        "attempts_daily.parquet",
        "published.duckdb",
    }
    log = (used.home.path / "logs" / "dbt.log").read_text(encoding="utf-8")
    assert "No key in the vault" in log
    assert "vault.main.salts" in log


def test_a_planted_key_is_found(used: Used, tmp_path: Path) -> None:
    """Control: a pad in hex at the end of a copy of the log, and one raw in the manifest's."""
    with duckdb.connect(str(used.home.vault), read_only=True) as vault:
        inner, outer = vault.execute("select ipad, opad from salts").fetchall()[0]
    log = Path(shutil.copy(used.home.path / "logs" / "dbt.log", tmp_path))
    with log.open("ab") as file:
        file.write(f"select sha256('{inner.hex()}')".encode())
    manifest = Path(shutil.copy(used.home.path / "target" / "manifest.json", tmp_path))
    manifest.write_bytes(manifest.read_bytes() + outer[16:32])
    assert by_name(search(used.keys, [tmp_path])) == {
        "dbt.log": {"ipad, hex"},
        "manifest.json": {"opad, raw"},
    }


def test_a_planted_email_is_found(used: Used, demo: Demo, tmp_path: Path) -> None:
    """Control: an e-mail in a copy of compiled SQL."""
    compiled = next((used.home.path / "target").rglob("stg_access__attempts.sql"))
    sql = Path(shutil.copy(compiled, tmp_path))
    with bronze_reader(demo.home) as bronze:
        email = bronze.execute("select max(email) from bronze.attempts").fetchall()[0][0]
    with sql.open("a", encoding="utf-8") as file:
        file.write(f"-- where email = '{email}'")
    assert by_name(search(used.people, [tmp_path])) == {sql.name: {"email"}}


def test_a_planted_fingerprint_is_found(used: Used, demo: Demo, tmp_path: Path) -> None:
    """Control: a fingerprint in a column of a copy of published gold, behind compression."""
    folder = Path(shutil.copytree(used.home.published, tmp_path / "published"))
    file = next(folder.rglob("attempts_daily.parquet"))
    with bronze_reader(demo.home) as bronze:
        fp = bronze.execute("select min(fp) from bronze.attempts").fetchall()[0][0]
    table = pq.read_table(file)
    codes = [*table["error_code"].to_pylist()[:-1], fp]
    planted = table.set_column(table.column_names.index("error_code"), "error_code", [codes])
    pq.write_table(planted, file, compression="zstd", write_statistics=False)
    assert by_name(search(used.people, [folder]))["attempts_daily.parquet"] == {"fp"}


@pytest.mark.parametrize("offset", [0, 1, 2, 3])
def test_each_encoding_of_a_key_is_found_at_any_offset(offset: int) -> None:
    """Control of the encodings: written by others' code, around bytes of no interest."""
    secret = hashlib.sha256(b"a key of a test").digest()[:16]
    needles = Needles(encodings(secret))
    around = b"x" * offset + secret + b"yy"
    shown = duckdb.execute("select cast(?::blob as varchar)", [around]).fetchall()[0][0]
    for text in (
        around,
        around.hex().encode(),
        around.hex().upper().encode(),
        base64.b64encode(around),
        shown.encode(),
        repr(around).encode(),
        json.dumps({"blob": shown}).encode(),
    ):
        assert needles.names_in(text), text
    assert not needles.names_in(bytes(range(256)) * 9)


def test_a_needle_across_a_border_of_chunks_is_found() -> None:
    """Control of the search: it reads data in pieces of 1 MiB."""
    needles = Needles({b"needle": "short", b"a longer needle": "long"})
    for start in range((1 << 20) - 20, (1 << 20) + 5):
        assert needles.names_in(b"." * start + b"a longer needle.") == {"short", "long"}
