"""`pseudonymize` is HMAC-SHA-256 of RFC 2104 with a key that only the vault holds."""

from __future__ import annotations

import base64
import hashlib
import hmac
import random
from pathlib import Path

import duckdb
import pytest
from compiled import compile_inline, sandbox

from loaders.home import Home, init_home
from loaders.vault import add_key

SEED = 20260101
EDGE_IDS = [
    "",
    " ",
    "0",
    "null",
    "josé.niño@exämple.com",
    "i̇stanbul@örnek.test",
    "用户@例え.jp",
    "\\x41",
    "\\",
    "\x1f",
    "a\x1fb",
    "\x00",
    "it's",
    '"quoted"',
    "$1 {{ jinja }} -- ;",
    "🦆" * 20,
    "x" * 10_000,
    "\u00e9",
    "e\u0301",
]


def random_ids(count: int) -> list[str]:
    print(f"seed {SEED}")
    chosen = random.Random(SEED)
    alphabet = "abcxyz0189@.+-_ äßéюя中文\\'\"\x1f\n"
    ids = {"".join(chosen.choices(alphabet, k=chosen.randint(1, 60))) for _ in range(count * 2)}
    return sorted(ids)[:count]


@pytest.fixture(scope="module")
def ids() -> list[str]:
    return list(dict.fromkeys(EDGE_IDS + random_ids(1_600)))


@pytest.fixture(scope="module")
def sql() -> dict[str, str]:
    """Statements by what they do; each reads a table `ids` and yields `id` and its `key`."""
    select = "select id, {{ pseudonymize(%s) }} as key from ids"
    return compile_inline(
        email=select % "'id', 'access.email'",
        phone=select % "'id', 'access.phone'",
        region=select % "'id', 'access.email', region='eu'",
        version=select % "'id', 'access.email', version=1",
        third=select % "'id', 'access.email', version=3",
        number=select % "'length(id)', 'access.email'",
    )


def run(home: Home, statement: str, ids: list[str | None]) -> list[tuple[str | None, str | None]]:
    with sandbox(home) as connection:
        connection.execute("create table ids as select unnest(?::varchar[]) as id", [ids])
        return connection.execute(statement).fetchall()


def vault_pads(home: Home, version: int = 1) -> tuple[bytes, bytes]:
    with duckdb.connect(str(home.vault), read_only=True) as vault:
        return vault.execute(
            "select ipad, opad from salts where version = ?", [version]
        ).fetchall()[0]


def vault_key(home: Home, version: int = 1) -> bytes:
    """The key itself, by undoing the inner pad."""
    return bytes(byte ^ 0x36 for byte in vault_pads(home, version)[0]).rstrip(b"\0")


def expected(key: bytes, domain: str, value: str) -> str:
    return "v1:" + hmac.new(key, f"{domain}\x1f{value}".encode(), hashlib.sha256).hexdigest()


def change_vault(home: Home, statement: str, values: list[object] | None = None) -> None:
    with duckdb.connect(str(home.vault)) as vault:
        vault.execute(statement, values or [])


def test_equals_pythons_hmac_for_every_id(home: Home, sql: dict[str, str], ids: list[str]) -> None:
    """1,600 and more ids, the awkward ones among them."""
    key = vault_key(home)
    found = dict(run(home, sql["email"], ids))
    wrong = [i for i in ids if found[i] != expected(key, "access.email", i)]
    print(f"{len(ids)} ids, {len(wrong)} differ from Python's hmac")
    assert len(found) == len(ids) >= 1_500
    assert wrong == []


def test_key_is_32_random_bytes(home: Home) -> None:
    """Both pads are made of one key of 32 bytes, so Python's hmac above had the whole of it."""
    inner, outer = vault_pads(home)
    padded = vault_key(home).ljust(64, b"\0")
    assert [inner, outer] == [bytes(b ^ x for b in padded) for x in (0x36, 0x5C)]
    assert 30 <= len(vault_key(home)) <= 32
    assert len(set(padded[:32])) > 16


def test_named_region_and_version_find_the_same_key(home: Home, sql: dict[str, str]) -> None:
    keys = {name: run(home, sql[name], ["a", "b"]) for name in ("email", "region", "version")}
    assert keys["region"] == keys["version"] == keys["email"]


def test_number_is_hashed_as_its_decimal_text(home: Home, sql: dict[str, str]) -> None:
    found = run(home, sql["number"], ["four"])
    assert found == [("four", expected(vault_key(home), "access.email", "4"))]


def test_null_stays_null_and_empty_text_does_not(home: Home, sql: dict[str, str]) -> None:
    found = dict(run(home, sql["email"], [None, ""]))
    assert found[None] is None
    assert found[""] == expected(vault_key(home), "access.email", "")


def test_domains_do_not_link(home: Home, sql: dict[str, str], ids: list[str]) -> None:
    """The same person's e-mail and phone key share nothing, even if the texts are equal."""
    emails = {key for _, key in run(home, sql["email"], ids)}
    phones = {key for _, key in run(home, sql["phone"], ids)}
    assert len(emails) == len(phones) == len(ids)
    assert emails & phones == set()


def test_homes_do_not_link(home: Home, tmp_path: Path, sql: dict[str, str], ids: list[str]) -> None:
    other, _ = init_home(tmp_path / "other", "us")
    here = {key for _, key in run(home, sql["email"], ids)}
    there = {key for _, key in run(other, sql["email"], ids)}
    assert len(here) == len(there) == len(ids)
    assert here & there == set()


def test_a_pseudonym_goes_through_every_key(
    home: Home, sql: dict[str, str], ids: list[str]
) -> None:
    """After two rotations: the first key hashes the value, each later one the pseudonym before."""
    for _ in range(2):
        add_key(home.vault, "eu")
    found = {name: dict(run(home, sql[name], ids)) for name in ("version", "third")}
    keys = {version: vault_key(home, version) for version in (1, 2, 3)}
    wrong = []
    for value in ids:
        pseudonym = expected(keys[1], "access.email", value)
        assert found["version"][value] == pseudonym
        for version in (2, 3):
            digest = hmac.new(keys[version], pseudonym.encode(), hashlib.sha256).hexdigest()
            pseudonym = f"v{version}:{digest}"
        wrong += [value] if found["third"][value] != pseudonym else []
    assert wrong == []
    digests = [{key.partition(":")[2] for key in column.values()} for column in found.values()]
    assert digests[0] & digests[1] == set()


def test_a_statement_compiled_before_a_rotation_is_stopped(home: Home, sql: dict[str, str]) -> None:
    """It would give pseudonyms that no other table has."""
    add_key(home.vault, "eu")
    with pytest.raises(duckdb.Error, match="The key was rotated while this ran"):
        run(home, sql["email"], ["a"])


def test_vault_without_a_live_key_stops_the_statement(home: Home, sql: dict[str, str]) -> None:
    """Otherwise every key would be null, and the build green."""
    change_vault(home, "update salts set retired_at = now()")
    with pytest.raises(duckdb.Error, match=r"No key in the vault\. Run assay vault status\."):
        run(home, sql["email"], ["a"])


def test_empty_vault_stops_the_statement(home: Home, sql: dict[str, str]) -> None:
    change_vault(home, "delete from salts")
    for name in ("email", "region", "version"):
        with pytest.raises(duckdb.Error, match="No key in the vault"):
            run(home, sql[name], ["a"])


def test_two_live_keys_stop_the_statement_and_are_not_shown(
    home: Home, sql: dict[str, str]
) -> None:
    change_vault(
        home,
        "insert into salts select region, 2, 'second', ipad, opad, now(), null from salts",
    )
    with pytest.raises(duckdb.Error, match=r"More than one row|was rotated") as stopped:
        run(home, sql["email"], ["a"])
    assert not holds_key(str(stopped.value), home)


@pytest.mark.parametrize("how", ["explain", "explain analyze", "explain (format json)"])
def test_plans_do_not_hold_the_key(home: Home, sql: dict[str, str], how: str) -> None:
    """A plan with a folded constant would put the key wherever plans are kept."""
    with sandbox(home) as connection:
        connection.execute("create table ids as select 'person-' || n as id from range(9) as r(n)")
        connection.execute("set explain_output = 'all'")
        plan = str(connection.execute(f"{how} {sql['email']}").fetchall())
    assert "salts" in plan
    assert not holds_key(plan, home)


def test_search_for_the_key_finds_it_in_each_form(home: Home) -> None:
    """Control of `holds_key`: the inner pad as DuckDB, Python, hex and base64 write it."""
    inner, _ = vault_pads(home)
    shown = duckdb.execute("select cast(?::blob as varchar)", [inner]).fetchall()[0][0]
    for form in (shown, str(inner), inner.hex(), base64.b64encode(inner).decode()):
        assert holds_key(f"plan of {form} and more", home)
    assert not holds_key("plan of nothing", home)


def holds_key(text: str, home: Home) -> bool:
    """Whether the text holds the first bytes of a pad, in a way that a database might print."""
    heads = [pad[:12] for pad in vault_pads(home)]
    forms = [
        form
        for head in heads
        for form in (
            duckdb.execute("select cast(?::blob as varchar)", [head]).fetchall()[0][0],
            str(head)[2:-1],
            head.hex(),
            head.hex().upper(),
            base64.b64encode(head).decode(),
        )
    ]
    return any(form in text for form in forms)
