"""Country and network come from the databases only where the sender gave none, and never fail."""

from __future__ import annotations

import gzip
import ipaddress
import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from loaders.cli import main
from loaders.home import Home, bronze_reader
from loaders.landing import geography
from loaders.landing.batches import land_file
from loaders.landing.geography import Databases
from loaders.project import PROJECT

DATA = Path(os.environ.get("ASSAY_TEST_DATA", PROJECT.parent / "shared" / "data")) / "maxmind"
COUNTRY, ASN = DATA / "GeoLite2-Country-Test.mmdb", DATA / "GeoLite2-ASN-Test.mmdb"
NETWORK = ("as_country_code", "as_description", "as_number")
GOOD = {"timestamp": "2026-05-04T08:00:00Z", "action": "login", "status": "success"}

with_databases = pytest.mark.skipif(
    not COUNTRY.exists(), reason="MaxMind's test databases are not here: set ASSAY_TEST_DATA"
)


def expected(database: Path) -> dict[Any, dict[str, Any]]:
    """What MaxMind says is in a test database, by network."""
    with gzip.open(database.with_suffix(".json.gz"), "rt", encoding="utf-8") as file:
        return {
            ipaddress.ip_network(network): record
            for entry in json.load(file)
            for network, record in entry.items()
        }


def record_of(networks: dict[Any, dict[str, Any]], address: str) -> dict[str, Any]:
    """The record of the smallest network that holds the address."""
    ip = ipaddress.ip_address(address)
    holding = [n for n in networks if n.version == ip.version and ip in n]
    return networks[max(holding, key=lambda n: n.prefixlen)] if holding else {}


def land(home: Home, folder: Path, events: list[dict[str, Any]], *options: str) -> list[Any]:
    """Land events by command; ip, geo and the network of each, in the order of the file."""
    file = folder / "events.jsonl"
    file.write_text("".join(json.dumps({**GOOD, **event}) + "\n" for event in events))
    words = ["land", "attempts", str(file), "--home", str(home.path), *options]
    run = CliRunner().invoke(main, words)
    assert run.exit_code == 0, run.output
    columns = ", ".join(("ip", "geo", *NETWORK))
    with bronze_reader(home) as reader:
        rows = reader.execute(f"select {columns} from bronze.attempts order by line_number")
        return rows.fetchall()


@with_databases
def test_every_network_of_the_test_databases(home: Home, tmp_path: Path) -> None:
    """First and last address of each network against the values published beside the databases."""
    pytest.importorskip("maxminddb")
    countries, networks = expected(COUNTRY), expected(ASN)
    addresses = sorted({str(n[i]) for n in (*countries, *networks) for i in (0, -1)})
    events = [{"event_id": f"e{i}", "ip": ip} for i, ip in enumerate(addresses)]
    rows = land(home, tmp_path, events, "--country-db", str(COUNTRY), "--asn-db", str(ASN))
    wanted = []
    for ip in addresses:
        place, network = record_of(countries, ip), record_of(networks, ip)
        number = network.get("autonomous_system_number")
        wanted.append(
            (
                ip,
                place.get("country", {}).get("iso_code"),
                place.get("registered_country", {}).get("iso_code"),
                network.get("autonomous_system_organization"),
                None if number is None else str(number),
            )
        )
    print(f"{len(addresses)} addresses")
    assert rows == wanted
    for column in range(1, 5):
        assert sum(row[column] is not None for row in rows) > 100


@with_databases
def test_what_the_sender_says_stays(home: Home, tmp_path: Path) -> None:
    """A country that was sent stays; a network is filled only where nothing of it was sent."""
    pytest.importorskip("maxminddb")
    (home.path / "geo").mkdir()
    shutil.copy(COUNTRY, home.path / "geo" / "country.mmdb")
    shutil.copy(ASN, home.path / "geo" / "asn.mmdb")
    ip, known = "2.125.160.216", "1.128.0.0"
    rows = land(
        home,
        tmp_path,
        [
            {"event_id": "country", "ip": ip, "geo": "XX"},
            {"event_id": "empty", "ip": ip, "geo": ""},
            {"event_id": "number", "ip": known, "as_number": "7"},
            {"event_id": "name", "ip": known, "as_description": "Mine"},
            {"event_id": "none", "ip": known},
            {"event_id": "no address"},
            *(
                {"event_id": bad, "ip": bad}
                for bad in ("", "no address", "1.2.3", "::g", "1.128.0.0:1")
            ),
        ],
    )
    assert rows[0] == (ip, "XX", "FR", None, None)
    assert rows[1] == (ip, "GB", "FR", None, None)
    assert rows[2][2:] == (None, None, "7")
    assert rows[3][2:] == (None, "Mine", None)
    assert rows[4][3:] == ("Telstra Pty Ltd", "1221")
    assert all(row[2:] == (None, None, None) for row in rows[5:])


@with_databases
def test_the_payload_hash_is_of_what_was_sent(tmp_path: Path, home: Home) -> None:
    """The same event is the same, whatever the databases of the day say."""
    pytest.importorskip("maxminddb")
    hashes = []
    for name, databases in (("without", None), ("with", Databases(COUNTRY, ASN))):
        file = tmp_path / name
        event = {**GOOD, "event_id": "e", "ip": "2.125.160.216"}
        file.write_text(json.dumps(event) + "\n" * (1 + len(hashes)))
        land_file(home, "attempts", file, databases=databases)
        with bronze_reader(home) as reader:
            hashes = reader.execute("select geo, payload_hash from bronze.attempts").fetchall()
    assert {geo for geo, _ in hashes} == {None, "GB"}
    assert len({payload for _, payload in hashes}) == 1


@pytest.mark.parametrize("content", [b"", b"no database", b"\xab\xcd\xefMaxMind.com" * 40])
def test_a_database_that_cannot_be_read_stops_nothing(
    content: bytes, home: Home, tmp_path: Path
) -> None:
    """Rows land with nulls, and a note says what was not used."""
    pytest.importorskip("maxminddb")
    broken = tmp_path / "broken.mmdb"
    broken.write_bytes(content)
    file = tmp_path / "events.jsonl"
    file.write_text(json.dumps({**GOOD, "event_id": "e", "ip": "2.125.160.216"}))
    result = land_file(home, "attempts", file, databases=Databases(broken, broken))
    assert result.accepted == 1
    assert len(result.notes) == 2
    with bronze_reader(home) as reader:
        assert reader.execute("select geo from bronze.attempts").fetchall() == [(None,)]


def test_without_the_library_landing_goes_on(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A database without the library that reads it is a note, not an error."""
    monkeypatch.setitem(sys.modules, "maxminddb", None)
    (home.path / "geo").mkdir()
    (home.path / "geo" / "country.mmdb").write_bytes(b"whatever")
    file = tmp_path / "events.jsonl"
    file.write_text(json.dumps({**GOOD, "event_id": "e", "ip": "2.125.160.216"}))
    run = CliRunner().invoke(main, ["land", "attempts", str(file), "--home", str(home.path)])
    assert run.exit_code == 0
    assert "assay-lakehouse[geo]" in run.stderr
    assert "accepted 1" in run.stdout


def test_a_lookup_that_fails_is_null(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever a lookup raises or returns; and each distinct address is asked for once."""
    asked = []

    def find(address: str) -> object:
        asked.append(address)
        if address == "raises":
            raise RuntimeError
        return {"list": [1], "text": "x", "odd": {"country": {"iso_code": 7}}}.get(
            address, {"country": {"iso_code": "PT"}}
        )

    monkeypatch.setattr(
        geography.Geography, "_opened", lambda _, path: find if "country" in path.name else None
    )
    kinds = ["raises", "list", "text", "odd", "good", "good", "good"]
    rows = land(home, tmp_path, [{"event_id": f"{i}", "ip": k} for i, k in enumerate(kinds)])
    assert [row[1] for row in rows] == [None, None, None, None, "PT", "PT", "PT"]
    assert sorted(asked) == sorted(set(kinds))
