"""On BigQuery each partner has a dataset with its own rows and no other's, of one green build."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from bigquery_home import CLOUD_PROJECT, bigquery_home
from click.testing import CliRunner
from google.cloud import bigquery
from official import client_of
from standin import StandIn
from standin.warehouse import TableName

from loaders import vault
from loaders.cli import main
from loaders.erasure.subject import chain
from loaders.errors import AssayError
from loaders.gold import partner_datasets
from loaders.gold.partner_datasets import publish_datasets
from loaders.gold.publish import publish
from loaders.home import Home, init_home

PARTNERS = {"insurance-01": "p1", "insurance-02": "p2", "retail-01": "p3"}
OWN = ("daily_claim_stats", "partner_features_daily")
WHOLE = "public_claim_report"
INTERNAL = "claim_type_trends_monthly"
GREEN = {"build_id": "b", "is_green": True, "failed_nodes": 0, "red_models": ""}

Rows = list[dict[str, Any]]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[StandIn, Home]]:
    with pytest.MonkeyPatch.context() as patch, StandIn(CLOUD_PROJECT) as standin:
        patch.setenv("BIGQUERY_EMULATOR_HOST", standin.endpoint)
        patch.setenv("ASSAY_BIGQUERY_RETRY_SECONDS", "1")
        yield standin, bigquery_home(tmp_path_factory.mktemp("partners") / "home")


@pytest.fixture
def standin(made: tuple[StandIn, Home]) -> StandIn:
    return made[0]


@pytest.fixture
def placed(made: tuple[StandIn, Home]) -> Home:
    """A home whose last build was green; nothing is published to partners."""
    standin, home = made
    for dataset in of_partners(standin):
        client_of(standin).delete_dataset(dataset, delete_contents=True)
    build(standin, home)
    return home


def hashes(home: Home, partners: dict[str, str] = PARTNERS) -> dict[str, str]:
    """What gold calls each partner, by slug."""
    first = vault.read_keys(home.vault)[:1]
    return {slug: chain("gold.partner_id", p, first)[0] for slug, p in partners.items()}


def gold(home: Home, claims: int = 0) -> dict[str, pa.Table]:
    """Marts with rows of every partner and of Other."""
    rows = [
        {
            "period_start": date(2026, 5, 1 + n),
            "partner_id_hash": partner,
            "claim_type": ("auto", None, "it's")[n],
            "claims": claims + n,
            "rate": n / 3,
            "updated_at": datetime(2026, 6, 1, 4, n, tzinfo=UTC),
        }
        for partner in (*hashes(home).values(), "Other")
        for n in range(3)
    ]
    parted = pa.Table.from_pylist(rows)
    whole = parted.drop_columns("partner_id_hash")
    return dict.fromkeys(OWN, parted) | {WHOLE: whole, INTERNAL: whole}


def build(
    standin: StandIn,
    home: Home,
    partners: dict[str, str] = PARTNERS,
    claims: int = 0,
    **said: Any,
) -> None:
    """A warehouse as a build leaves it."""
    seed = [{"partner_id": partner, "slug": slug} for slug, partner in partners.items()]
    standin.put("assay_eu_silver", "partners", pa.Table.from_pylist(seed))
    for mart, rows in gold(home, claims).items():
        standin.put("assay_eu_gold", mart, rows)
    standin.put("assay_eu", "last_build", pa.Table.from_pylist([GREEN | said]))


def of_partners(standin: StandIn) -> set[str]:
    names = {name for _, name in standin.warehouse.datasets}
    return {name for name in names if name.startswith("assay_eu_partner_")}


def read(standin: StandIn, slug: str, mart: str) -> Rows:
    name = f"assay_eu_partner_{slug.replace('-', '_')}"
    return sorted(standin.rows(name, mart), key=str)


def everything(standin: StandIn) -> dict[str, dict[str, Rows]]:
    """What all partners read."""
    return {
        name: {
            mart: standin.rows(name, mart)
            for mart in standin.warehouse.dataset(CLOUD_PROJECT, name).tables
        }
        for name in of_partners(standin)
    }


def foreign(standin: StandIn, home: Home) -> set[tuple[str, str]]:
    """Partners in whose datasets another one is found."""
    seen = everything(standin)
    return {
        (slug, other)
        for slug in PARTNERS
        for other, partner_hash in hashes(home).items()
        if other != slug and partner_hash in str(seen[f"assay_eu_partner_{slug.replace('-', '_')}"])
    }


def test_a_partner_reads_the_rows_of_its_file_on_duckdb(
    standin: StandIn, placed: Home, tmp_path: Any
) -> None:
    """Its own of one mart, all of another; what is for nobody's eyes is not there."""
    publish_datasets(placed)
    assert foreign(standin, placed) == set()
    local = init_home(tmp_path / "home")[0]
    vault.replace_keys(local.vault, vault.read_keys(placed.vault))
    with duckdb.connect(str(local.warehouse)) as warehouse:
        warehouse.execute("set TimeZone = 'UTC'; create schema gold; create schema silver")
        warehouse.execute("create table last_build as select 'b' build_id, true is_green")
        warehouse.execute("create table silver.partners (partner_id text, slug text)")
        warehouse.executemany(
            "insert into silver.partners values (?, ?)", [[p, slug] for slug, p in PARTNERS.items()]
        )
        for mart, rows in gold(placed).items():
            warehouse.register("given", rows)
            warehouse.execute(f"create table gold.{mart} as from given")
    publish(local)
    for slug, partner_hash in hashes(placed).items():
        with duckdb.connect(str(local.partner_file(slug)), read_only=True) as reader:
            reader.execute("set TimeZone = 'UTC'")
            for mart in (*OWN, WHOLE):
                there = reader.sql(f"from gold.{mart}").to_arrow_table().to_pylist()
                rows = read(standin, slug, mart)
                assert rows == sorted(there, key=str)
                assert len(rows) == (3 if mart in OWN else 12)
                assert mart == WHOLE or {row["partner_id_hash"] for row in rows} == {partner_hash}
        assert set(everything(standin)[f"assay_eu_partner_{slug.replace('-', '_')}"]) == {
            *OWN,
            WHOLE,
        }


def test_the_filter_taken_away_is_seen(
    standin: StandIn, placed: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The planted fault: every row for everybody."""
    monkeypatch.setattr(partner_datasets, "is_parted", lambda _: False)
    publish_datasets(placed)
    assert len(foreign(standin, placed)) == len(PARTNERS) * (len(PARTNERS) - 1)


def test_the_next_build_takes_the_place_of_the_last(standin: StandIn, placed: Home) -> None:
    """Also where a mart has another column, and where one is for partners no more."""
    publish_datasets(placed)
    build(standin, placed, claims=10)
    more = gold(placed, 10)[OWN[1]].append_column("more", pa.array(["m"] * 12))
    standin.put("assay_eu_gold", OWN[1], more)
    client_of(standin).delete_table(f"assay_eu_gold.{WHOLE}")
    standin.put("assay_eu", "last_build", pa.Table.from_pylist([GREEN]))
    made = publish_datasets(placed)
    for marts in everything(standin).values():
        assert set(marts) == set(OWN)
        for rows in marts.values():
            assert sorted(row["claims"] for row in rows) == [10, 11, 12]
        assert {row["more"] for row in marts[OWN[1]]} == {"m"}
    assert made.rows == dict.fromkeys(sorted(of_partners(standin)), 6)
    assert not any(
        "publishing" in name for name in standin.warehouse.dataset(CLOUD_PROJECT, "assay_eu").tables
    )


@pytest.mark.parametrize("is_one", [True, False])
def test_a_partner_never_reads_marts_of_two_builds(
    standin: StandIn, placed: Home, monkeypatch: pytest.MonkeyPatch, is_one: bool
) -> None:
    """A job that fails before its last mart leaves all as it was; without the transaction, not."""
    publish_datasets(placed)
    before = everything(standin)
    build(standin, placed, claims=10)
    script = partner_datasets._script

    def broken(*arguments: Any) -> str:
        first, *rest = script(*arguments).rsplit("truncate table", 1)
        broken = f"{first}select 1 / 0;\ntruncate table{rest[0]}"
        if not is_one:
            broken = broken.replace("begin transaction;", "").replace("commit transaction;", "")
        return broken

    with monkeypatch.context() as patch:
        patch.setattr(partner_datasets, "_script", broken)
        with pytest.raises(AssayError, match=r"Run it again: assay publish$"):
            publish_datasets(placed)
    assert (everything(standin) == before) == is_one
    publish_datasets(placed)
    for marts in everything(standin).values():
        assert {row["claims"] for rows in marts.values() for row in rows} == {10, 11, 12}


def test_a_partner_that_is_gone_is_gone(standin: StandIn, placed: Home) -> None:
    """With its dataset, and no other: not that of a target whose name begins like a partner's."""
    publish_datasets(placed)
    others = {
        "assay_eu_partner_gold": {"tool": "assay", "residency": "eu", "layer": "gold"},
        "assay_eu_partner_partner_x": {
            "tool": "assay",
            "residency": "eu",
            "layer": "partner",
            "partner": "x",
        },
        "assay_eu_partner_by_hand": {},
    }
    for name, labels in others.items():
        dataset = bigquery.Dataset(f"{CLOUD_PROJECT}.{name}")
        dataset.labels = labels
        client_of(standin).create_dataset(dataset)
    left = {slug: p for slug, p in PARTNERS.items() if slug != "retail-01"}
    build(standin, placed, left)
    publish_datasets(placed)
    kept = {"assay_eu_partner_insurance_01", "assay_eu_partner_insurance_02"}
    assert of_partners(standin) == kept | set(others)
    client_of(standin).delete_table("assay_eu_silver.partners")
    assert publish_datasets(placed).rows == {}
    assert of_partners(standin) == set(others)


def test_a_dataset_of_somebody_else_is_refused(standin: StandIn, placed: Home) -> None:
    """And nothing is in it, nor in any other."""
    client_of(standin, "europe-west1").create_dataset("assay_eu_partner_retail_01")
    with pytest.raises(AssayError, match=r"^audience_refused: dataset assay_eu_partner_retail_01 "):
        publish_datasets(placed)
    assert not any(everything(standin).values())


def test_rights_are_the_operators(standin: StandIn, placed: Home) -> None:
    """What is granted stays; what BigQuery gives to the whole project goes."""
    publish_datasets(placed)
    granted = {"role": "READER", "userByEmail": "bi@x.example"}
    opened = [{"role": "READER", "specialGroup": "projectReaders"}, granted]
    for name in of_partners(standin):
        found = standin.warehouse.dataset(CLOUD_PROJECT, name)
        found.properties["access"] = opened
        assert found.location == "europe-west1"
    publish_datasets(placed)
    for name in of_partners(standin):
        assert standin.warehouse.dataset(CLOUD_PROJECT, name).properties["access"] == [granted]


def test_what_is_not_green_is_not_published(standin: StandIn, placed: Home) -> None:
    publish_datasets(placed)
    before = everything(standin)

    def refused(why: str) -> None:
        with pytest.raises(AssayError, match=why):
            publish_datasets(placed)
        assert everything(standin) == before

    build(standin, placed, claims=10, is_green=False, failed_nodes=2)
    refused("^Not published: 2 nodes of the last build failed")
    build(standin, placed, claims=10, red_models="daily_claim_stats")
    refused("^Not published: daily_claim_stats failed in an earlier build.*dbt build --target")
    build(standin, placed, claims=10)
    written = TableName(CLOUD_PROJECT, "assay_eu_gold", OWN[0])
    standin.warehouse.table(written).modified += 1_000
    refused(f"^Not published: {OWN[0]} changed after the last build.*dbt build --target")
    client_of(standin).delete_table("assay_eu.last_build")
    refused("^Nothing to publish: there was no build yet. Run: dbt build --target bigquery_eu")


def test_a_build_that_comes_between_is_not_published(
    standin: StandIn, placed: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has written a mart when another one is copied already: partners keep what they have."""
    publish_datasets(placed)
    before = everything(standin)
    copy = partner_datasets._copy

    def built_meanwhile(*arguments: Any) -> str:
        build(standin, placed, claims=10, build_id="another")
        return copy(*arguments)

    monkeypatch.setattr(partner_datasets, "_copy", built_meanwhile)
    with pytest.raises(AssayError, match=r"^Not published: another build came between"):
        publish_datasets(placed)
    assert everything(standin) == before


def test_a_slug_that_cannot_name_a_dataset_is_refused(standin: StandIn, placed: Home) -> None:
    """Before anything is published; no underscore, so that no two slugs have one dataset."""
    for slug in ("a_b", "A", "a.b", "a`b"):
        build(standin, placed, {"a-b": "p1", slug: "p2"})
        with pytest.raises(AssayError, match=r"^audience_refused: a line of seeds/partners\.csv"):
            publish_datasets(placed)
    assert of_partners(standin) == set()


def test_the_command(standin: StandIn, placed: Home, tell: Callable[[str], None]) -> None:
    """It says what it made, and where gold is; no hash is in the text of a statement."""
    done = CliRunner().invoke(main, ["publish", "--home", str(placed.path)])
    tell(done.output)
    assert done.exit_code == 0
    assert "  assay_eu_partner_insurance_01: 18 rows\n" in done.output
    assert done.output.endswith("All else is read where it is built: dataset assay_eu_gold.\n")
    told = CliRunner().invoke(main, ["publish", "--json", "--home", str(placed.path)])
    assert json.loads(told.output)["rows"]["assay_eu_partner_retail_01"] == 18
    runs = standin.rows("assay_eu_bronze", "pipeline_runs")
    assert [(run["stage"], run["status"]) for run in runs] == [("publish", "succeeded")] * 2
    texts = "".join(str(job.statement) for job in standin.jobs)
    assert "partner_id_hash = @own" in texts
    assert not any(partner_hash in texts for partner_hash in hashes(placed).values())
    report = ["report", "partner-fraud", "--partner", "retail-01", "--home", str(placed.path)]
    refused = CliRunner().invoke(main, report)
    assert refused.exit_code == 1
    assert "lands on BigQuery" in refused.output
