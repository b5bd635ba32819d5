"""`assay combine`: of the gold of two residencies, only what is anonymous lies in one file."""

from __future__ import annotations

import json
from pathlib import Path

import duckdb
import pytest
from click.testing import CliRunner

from loaders.cli import main
from loaders.gold.combine import combine
from loaders.gold.marts import anonymous_marts, models_of
from loaders.gold.publish import publish
from loaders.home import Home, bronze_reader, init_home

HASH = "v1:" + 64 * "a"


def published(folder: Path, residency: str, attempts: int) -> Home:
    """A home with a small gold that is published: anonymous, by partner, and of one person."""
    home = init_home(folder / residency, residency)[0]
    with duckdb.connect(str(home.warehouse)) as warehouse:
        warehouse.execute(
            f"""
            create table last_build as select 'b' as build_id, true as is_green, 0 as failed_nodes;
            create schema gold;
            create schema gold_restricted;
            create table gold.attempts_daily as
            select date '2026-05-01' as period_start, {attempts} as attempts;
            create table gold.partner_features_daily as select '{HASH}' as partner_id_hash;
            create table gold.loss_ledger as select 'a_sender' as producer;
            create table gold_restricted.top_contributors as select '{HASH}' as contributor;
            """
        )
    publish(home)
    return home


@pytest.fixture
def homes(tmp_path: Path) -> list[Home]:
    return [published(tmp_path, "eu", 30), published(tmp_path, "us", 20)]


def test_what_is_anonymous_lies_side_by_side(homes: list[Home], tmp_path: Path):
    """The command names both releases; each home's log says what left it."""
    output = tmp_path / "out" / "everywhere.duckdb"
    of = [word for home in homes for word in ("--of", str(home.path))]
    result = CliRunner().invoke(main, ["combine", *of, "--json", str(output)])
    assert result.exit_code == 0, result.output
    said = json.loads(result.output)
    assert said["rows"] == {"attempts_daily": 2}
    assert said["releases"].keys() == {"eu", "us"}
    with duckdb.connect(str(output), read_only=True) as reader:
        assert reader.execute("from gold.attempts_daily").fetchall() == [
            *reader.execute("select 'eu', date '2026-05-01', 30").fetchall(),
            *reader.execute("select 'us', date '2026-05-01', 20").fetchall(),
        ]
        assert reader.execute("select count(*) from duckdb_tables()").fetchall() == [(1,)]
    assert HASH.encode() not in output.read_bytes()
    for home in homes:
        with bronze_reader(home) as bronze:
            assert bronze.execute(
                "select action, export_size, lineage ->> 'output' from bronze.audit_log"
            ).fetchall() == [("export", 1, "everywhere.duckdb")]


def test_only_marts_whose_cells_have_k_people_or_noise_and_no_pseudonym():
    """A mart without such a test, or with a column of hashes, stays where it is."""
    models = models_of("gold")
    anonymous = set(anonymous_marts())
    assert {"attempts_daily", "metrics", "model_bias_monthly", "public_claim_report"} <= anonymous
    for name in set(models) - anonymous:
        columns = {column["name"] for column in models[name]["columns"]}
        has_hashes = any(column.endswith("_hash") for column in columns)
        assert has_hashes or "about_operations" in models[name]["data_tests"]
    for name in anonymous:
        assert "partner_id_hash" not in {column["name"] for column in models[name]["columns"]}


@pytest.mark.parametrize(
    ("chosen", "said"),
    [
        ([0], "These homes are of eu. Name one home of each"),
        ([0, 0], "These homes are of eu, eu. Name one home of each"),
    ],
)
def test_one_home_of_each_residency(
    homes: list[Home], tmp_path: Path, chosen: list[int], said: str
):
    output = tmp_path / "everywhere.duckdb"
    of = [word for number in chosen for word in ("--of", str(homes[number].path))]
    result = CliRunner().invoke(main, ["combine", *of, str(output)])
    assert result.exit_code == 1
    assert result.output.startswith(said)
    assert not output.exists()


def test_what_is_not_published_is_not_combined(homes: list[Home], tmp_path: Path):
    empty = init_home(tmp_path / "empty", "us")[0]
    output = tmp_path / "everywhere.duckdb"
    output.write_bytes(b"of yesterday")
    of = ["--of", str(homes[0].path), "--of", str(empty.path)]
    result = CliRunner().invoke(main, ["combine", *of, str(output)])
    assert result.output == f"Nothing is published in {empty.path}. Run: assay refresh\n"
    assert output.read_bytes() == b"of yesterday"


def test_a_log_that_cannot_be_written_lets_nothing_out(
    homes: list[Home], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """The file of before stays, whole."""

    def broken(*_: object, **__: object) -> None:
        raise OSError("planted")

    monkeypatch.setattr("loaders.audit.append", broken)
    output = tmp_path / "everywhere.duckdb"
    with pytest.raises(OSError, match="planted"):
        combine(homes, output)
    assert list(tmp_path.glob("everywhere*")) == []
