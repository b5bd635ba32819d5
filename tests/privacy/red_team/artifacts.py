"""What is written on the way: the key, what people are found by, and who belongs elsewhere."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import duckdb
from byte_search import Needles, search
from conftest import run_dbt
from test_no_leak import forms_of, key_needles

from loaders.gold import combine
from loaders.gold.publish import publish
from loaders.home import Home, init_home, quote
from loaders.landing import validation
from loaders.landing.batches import land_file
from red_team.attacks import LINKABILITY, SINGLING_OUT, Finding, Scene, attack

EMAILS = [f"hostile{n}@mail.example" for n in range(12)]


@dataclass(frozen=True)
class Written:
    """Files that somebody may read, and what must not be in them."""

    needles: Needles
    roots: list[Path]

    def searched(self) -> Finding:
        found = search(self.needles, self.roots)
        files = sum(1 for root in self.roots for _ in [root, *root.rglob("*")])
        where = sorted({Path(file).name for file in found})
        said = f"{len(self.needles.names)} byte strings, {files} files, found in {len(where)}"
        return Finding(bool(found), f"{said}{': ' if where else ''}{', '.join(where[:3])}")


def hostile_home(scene: Scene) -> Home:
    """Whose callers put an e-mail address into every field; one row of silver is there twice."""
    home = init_home(scene.folder / "hostile")[0]
    file = scene.folder / "attempts.jsonl"
    texts = ("domain", "query", "geo", "country", "currency", "phone", "ip", "fp", "error_code")
    sound = {"action": "signup", "status": "error", "timestamp": "2026-05-01T10:00:00Z"}
    rows = [
        dict.fromkeys(texts, email) | sound | {"event_id": f"e{n}", "email": email}
        for n, email in enumerate(EMAILS)
    ]
    file.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    land_file(home, "attempts", file)
    return home


def mails() -> Needles:
    return Needles({form: "an e-mail address" for email in EMAILS for form in forms_of(email)})


def a_failed_test(scene: Scene) -> Written:
    """Built, and then a test that fails and keeps the rows that it failed for."""
    home = hostile_home(scene)
    select = ("--select", "+stg_access__attempts")
    run_dbt(home, "build", *select, "--exclude-resource-type", "test", ASSAY_DOMAINS="access")
    with duckdb.connect(str(home.warehouse)) as warehouse:
        rows = warehouse.execute(
            "insert into silver.stg_access__attempts from silver.stg_access__attempts"
        ).fetchall()
    assert rows != [(0,)], "nothing came to silver"
    failing = ("--select", "unique_stg_access__attempts_event_id", "--store-failures")
    failed = run_dbt(home, "test", *failing, check=False, ASSAY_DOMAINS="access")
    assert failed.returncode == 1, failed.stdout[-2000:]
    (home.path / "logs" / "printed.txt").write_text(failed.stdout, encoding="utf-8")
    return Written(mails(), [home.path / "target", home.path / "logs", home.warehouse])


def a_sabotaged_query(scene: Scene) -> Home:
    """A plain cast that fails, with a key that dbt is given as text, as dbt writes it down."""
    home = hostile_home(scene)
    with duckdb.connect(str(home.vault), read_only=True) as vault:
        ((pad,),) = vault.execute("select ipad from salts").fetchall()
    files = quote(f"{home.bronze}/attempts/**/*.parquet")
    sql = f"select sha256('{pad.hex()}' || email), cast(email as timestamp) from {files}"
    given = ("run-operation", "run_query", "--args", json.dumps({"sql": sql}))
    failed = run_dbt(home, *given, check=False, ASSAY_DOMAINS="access")
    assert "Conversion Error" in failed.stdout, failed.stdout[-2000:]
    return home


@attack(
    "R2",
    SINGLING_OUT,
    on="what dbt writes, and the warehouse",
    real=lambda scene: Written(
        Needles(key_needles(scene.demo.home)),
        [scene.demo.home.path / "target", scene.demo.home.path / "logs", scene.demo.home.warehouse],
    ),
    sabotage="the key is given to dbt as text",
    twin=lambda scene: keys_in(a_sabotaged_query(scene)),
)
def the_key_is_written_down(written: Written) -> Finding:
    """Look for the key and its pads in all files, in every encoding."""
    return written.searched()


def keys_in(home: Home) -> Written:
    return Written(Needles(key_needles(home)), [home.path / "target", home.path / "logs"])


@attack(
    "R17",
    SINGLING_OUT,
    on="what dbt writes of hostile rows and of a test that fails",
    real=a_failed_test,
    sabotage="a plain cast, which quotes what it cannot read",
    twin=lambda scene: Written(mails(), [a_sabotaged_query(scene).path / "logs"]),
)
def an_error_quotes_somebody(written: Written) -> Finding:
    """Send what no model can read, break a test, and look for it in artifacts and logs."""
    return written.searched()


def landed_abroad(residencies: dict[str, str] | None) -> Callable[[Scene], Written]:
    """Lands an event of a US region in an EU home, by the seed of regions or by another one."""

    def make(scene: Scene) -> Written:
        home = init_home(scene.folder / "eu")[0]
        file = scene.folder / "abroad.jsonl"
        event = {
            "event_id": "abroad-event-1",
            "event_type": "account.login",
            "occurred_at": "2026-05-01T10:00:00Z",
            "user_id": "abroad-user-1",
            "region": "us-east1",
            "payload": {},
        }
        file.write_text(json.dumps(event), encoding="utf-8")
        known = validation.residency_by_region() if residencies is None else residencies
        with mock.patch.object(validation, "residency_by_region", lambda: known):
            land_file(home, "platform_events", file)
        needles = Needles({b"abroad-event-1": "its id", b"abroad-user-1": "its person"})
        return Written(needles, [home.path])

    return make


@attack(
    "R18",
    SINGLING_OUT,
    on="landing of another residency's events",
    real=landed_abroad(None),
    sabotage="the seed of regions is empty",
    twin=landed_abroad({}),
)
def a_record_lands_abroad(written: Written) -> Finding:
    """Land an event of the US in a home of the EU, and look for it in all files there."""
    return written.searched()


PERSON, SENDER = "v1:" + 64 * "a", "a-sender-of-the-eu"


def combined(*faults: str) -> Callable[[Scene], Written]:
    """Combines the gold of two homes, each with rows of people; also marts that may not leave."""

    def make(scene: Scene) -> Written:
        homes = []
        for residency in ("eu", "us"):
            home = init_home(scene.folder / residency, residency)[0]
            with duckdb.connect(str(home.warehouse)) as warehouse:
                warehouse.execute(f"""
                    create table last_build as
                    select 'b' as build_id, true as is_green, 0 as failed_nodes;
                    create schema gold; create schema gold_restricted;
                    create table gold.attempts_daily as select 30 as attempts;
                    create table gold.partner_features_daily as select '{PERSON}' as partner;
                    create table gold.loss_ledger as select '{SENDER}' as producer;
                    create table gold_restricted.top_contributors as select '{PERSON}' as person;
                """)
            publish(home)
            homes.append(home)
        output = scene.folder / "everywhere.duckdb"
        marts = [*combine.anonymous_marts(), *faults]
        with mock.patch.object(combine, "anonymous_marts", lambda: marts):
            combine.combine(homes, output)
        needles = Needles({PERSON.encode(): "a pseudonym", SENDER.encode(): "a sender"})
        with duckdb.connect(str(output), read_only=True) as reader:
            assert reader.execute("select count(*) from gold.attempts_daily").fetchall() == [(2,)]
        return Written(needles, [output])

    return make


@attack(
    "R18",
    LINKABILITY,
    on="the one file of two residencies",
    real=combined(),
    sabotage="marts of partners and senders are combined too",
    twin=combined("partner_features_daily", "loss_ledger"),
)
def a_row_of_somebody_crosses_over(written: Written) -> Finding:
    """Look in the combined file for what is of one person or company."""
    return written.searched()
