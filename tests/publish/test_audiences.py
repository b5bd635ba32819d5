"""Each partner's file holds its own rows and no other's; what cannot be parted is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq
import pytest
from compiled import compile_inline, sandbox

from loaders import vault
from loaders.erasure.subject import chain
from loaders.errors import AssayError
from loaders.gold import audiences
from loaders.gold.marts import models_of
from loaders.gold.publish import publish
from loaders.home import Home

PARTNERS = {"insurance-01": "p1", "insurance-02": "p2", "retail-01": "p3"}
OWN = {
    "daily_claim_stats",
    "fraud_patterns_weekly",
    "partner_behavior_profiles",
    "partner_benchmarks_monthly",
    "partner_features_daily",
    "verification_metrics_daily",
}
WHOLE = {"public_claim_report"}
INTERNAL = "claim_type_trends_monthly"

Rows = list[tuple[Any, ...]]


def hashes(home: Home) -> dict[str, str]:
    """What gold calls each partner, by slug."""
    first = vault.read_keys(home.vault)[:1]
    return {slug: chain("gold.partner_id", p, first)[0] for slug, p in PARTNERS.items()}


def build(home: Home, partners: dict[str, str] = PARTNERS) -> None:
    """A warehouse as a green build leaves it: every mart has rows of every partner and of Other."""
    with duckdb.connect(str(home.warehouse)) as warehouse:
        for schema in ("silver", "gold", "gold_restricted"):
            warehouse.execute(f"create schema if not exists {schema}")
        warehouse.execute(
            "create or replace table last_build as select 'b' as build_id, true as is_green, "
            "0 as failed_nodes"
        )
        warehouse.execute(
            "create or replace table silver.partners (partner_id text, slug text, industry text)"
        )
        warehouse.executemany(
            "insert into silver.partners values (?, ?, 'any')",
            [[partner, slug] for slug, partner in partners.items()],
        )
        for mart in (*OWN, *WHOLE, INTERNAL):
            warehouse.execute(
                f"create or replace table gold.{mart} as select partner_id_hash, n as claims, "
                "'auto' as claim_type from unnest(?) as t(partner_id_hash), range(3) as r(n)",
                [[*hashes(home).values(), "Other"]],
            )
        for mart in (*WHOLE, INTERNAL):
            warehouse.execute(f"alter table gold.{mart} drop partner_id_hash")
        warehouse.execute("create or replace table gold_restricted.people as select 1 as rank")


def read(file: Path, mart: str) -> Rows:
    with duckdb.connect(str(file), read_only=True) as reader:
        return reader.execute(f"from gold.{mart} order by all").fetchall()


def marts_of(file: Path) -> set[str]:
    with duckdb.connect(str(file), read_only=True) as reader:
        found = reader.execute("select view_name from duckdb_views() where schema_name = 'gold'")
        return {name for (name,) in found.fetchall()}


def foreign(home: Home) -> set[tuple[str, str]]:
    """Partners in whose files another one is found, in bytes as they are or in decoded values."""
    found = set()
    for slug in PARTNERS:
        files = [p for p in (home.partners / slug).rglob("*") if p.is_file()]
        texts = [home.partner_file(slug).read_bytes(), *(p.read_bytes() for p in files)]
        texts += [
            str(pq.ParquetFile(p).read().to_pydict()).encode()
            for p in files
            if p.suffix == ".parquet"
        ]
        assert texts[1:]
        for other, partner_hash in hashes(home).items():
            if other != slug and any(partner_hash.encode() in text for text in texts):
                found.add((slug, other))
    return found


def test_a_partner_reads_its_own_rows_and_no_others(home: Home):
    """They are the rows that internal gold has of it. What is for nobody's eyes is not there."""
    build(home)
    release = publish(home)
    assert foreign(home) == set()
    for slug, partner_hash in hashes(home).items():
        file = home.partner_file(slug)
        assert marts_of(file) == OWN | WHOLE
        for mart in OWN:
            internal = read(home.published_file, mart)
            assert len(internal) == 3 * (len(PARTNERS) + 1)
            assert read(file, mart) == [row for row in internal if row[0] == partner_hash] != []
        for mart in WHOLE:
            assert read(file, mart) == read(home.published_file, mart)
    assert INTERNAL in release.rows, "the main release has all"
    assert set(read(home.published_file, INTERNAL)) == {(n, "auto") for n in range(3)}


def test_the_filter_taken_away_is_seen(home: Home, monkeypatch: pytest.MonkeyPatch):
    """The planted fault: every row for everybody."""
    build(home)
    monkeypatch.setattr(audiences, "is_parted", lambda _: False)
    publish(home)
    assert len(foreign(home)) == len(PARTNERS) * (len(PARTNERS) - 1)


def test_a_mart_that_cannot_be_parted_is_refused(home: Home, monkeypatch: pytest.MonkeyPatch):
    """The planted fault: a total over all partners that is declared for them."""
    build(home)
    publish(home)
    before = sorted(home.partners.rglob("*"))
    marts = models_of("gold")
    declared = marts[INTERNAL] | {"config": {"meta": {"audience": "partner"}}}
    monkeypatch.setattr(audiences, "models_of", lambda _: marts | {INTERNAL: declared})
    with pytest.raises(AssayError, match=f"audience_refused: {INTERNAL} has meta.audience"):
        publish(home)
    assert sorted(home.partners.rglob("*")) == before


def test_what_is_declared_for_partners():
    """What is added is added here: aggregates of claims with a partner's hash, or with noise."""
    assert set(audiences.partner_marts()) == OWN | WHOLE
    for name in OWN | WHOLE:
        model = models_of("gold")[name]
        tests = {t if isinstance(t, str) else next(iter(t)) for t in model["data_tests"]}
        assert ("differentially_private" if name in WHOLE else "k_anonymous") in tests
    for layer in ("gold_restricted", "silver"):
        assert not any(map(audiences.is_for_partners, models_of(layer).values()))


def test_the_hash_is_that_of_gold(home: Home):
    """The macro, in SQL, with the same vault; `Other` is nobody's."""
    macro = compile_inline(hashed="select {{ partner_id_hash('partner_id') }} from partners")
    with sandbox(home) as database:
        database.execute(
            "create table partners as select unnest(?) as partner_id",
            [[*PARTNERS.values(), "Other"]],
        )
        made = [value for (value,) in database.execute(macro["hashed"]).fetchall()]
    assert made == [*hashes(home).values(), "Other"]


def test_a_file_is_read_with_nothing_but_its_own_folder(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """As a container has it that mounts the two, beside where the variable says."""
    monkeypatch.setenv("ASSAY_PUBLISHED_PATH", str(tmp_path / "mounted"))
    build(home)
    publish(home)
    mounted = tmp_path / "partners" / "retail-01"
    mounted.parent.mkdir()
    mounted.symlink_to((home.partners / "retail-01").rename(tmp_path / "alone"))
    file = home.partner_file("retail-01").rename(tmp_path / "alone.duckdb")
    home.path.rename(tmp_path / "elsewhere")
    assert len(read(file, "daily_claim_stats")) == 3


def test_one_path_of_readers_serves_all_files(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """As one Metabase has it: a partner's file shows its own rows there, not the rows of all."""
    monkeypatch.setenv("ASSAY_PUBLISHED_PATH", str(tmp_path / "seen" / "published"))
    build(home)
    publish(home)
    (tmp_path / "seen").symlink_to(home.path.rename(tmp_path / "elsewhere"))
    moved = Home(tmp_path / "seen")
    of_all = read(moved.published_file, "daily_claim_stats")
    for slug, own in hashes(moved).items():
        rows = read(moved.partner_file(slug), "daily_claim_stats")
        assert {row[0] for row in rows} == {own}
        assert 0 < len(rows) < len(of_all)


UNSAFE = ["../x", "a/b", "A", "a_b", "a b", "a--b", "-a", "a.b", "", "a" * 41, "ä", "a\n", "a'"]


@pytest.mark.parametrize("slug", UNSAFE)
def test_a_slug_that_cannot_name_a_file_is_refused(home: Home, slug: str):
    """With its line in the seed, and before anything is published; the slug is not repeated."""
    build(home, {"fine": "p1", slug: "p2"})
    with pytest.raises(AssayError, match=r"^audience_refused: line 3 of seeds/partners\.csv") as e:
        publish(home)
    assert len(slug) < 3 or slug not in str(e.value)
    assert not home.partners.exists()
    assert not home.published.exists()


@pytest.mark.parametrize("again", [("p2", "insurance-01"), ("p1", "other")])
def test_two_partners_never_share_a_file(home: Home, again: tuple[str, str]):
    build(home)
    with duckdb.connect(str(home.warehouse)) as warehouse:
        warehouse.execute("insert into silver.partners values (?, ?, 'any')", again)
    with pytest.raises(AssayError, match=r"line 5 of seeds/partners\.csv"):
        publish(home)


def test_a_partner_that_is_gone_is_gone(home: Home):
    """Its file and its folder, at the next publication; the others stay. Without claims, all go."""
    build(home)
    publish(home)
    aside = home.partner_file("retail-01").with_suffix(".new")
    aside.touch()  # what a killed publication wrote
    build(home, {slug: p for slug, p in PARTNERS.items() if slug != "retail-01"})
    publish(home)
    assert not (home.partners / "retail-01").exists()
    assert not home.partner_file("retail-01").exists()
    assert not aside.exists()
    assert len(read(home.partner_file("insurance-01"), "daily_claim_stats")) == 3
    with duckdb.connect(str(home.warehouse)) as warehouse:
        for mart in OWN | WHOLE:
            warehouse.execute(f"drop table gold.{mart}")
    publish(home)
    assert list(home.path.glob("published_partner_*")) == list(home.partners.iterdir()) == []
    assert home.published_file.exists()


def live(home: Home) -> dict[str, str]:
    """The release that each partner sees, by slug: as its views and as people find it."""
    seen = {}
    for slug in PARTNERS:
        folder = (home.partners / slug / "current").resolve()
        assert (folder.parent / "live.csv").read_text().strip() == folder.name
        seen[slug] = folder.name
    return seen


def test_a_partner_whose_rows_are_as_they_were_keeps_its_release(home: Home):
    """Whoever has a row more, a row less or another value gets a new one; with all, all do."""
    build(home)
    publish(home)
    changes = {
        "insurance-01": "update gold.daily_claim_stats set claims = 7 where claims = 2 and {own}",
        "insurance-02": "delete from gold.fraud_patterns_weekly where claims = 0 and {own}",
        "retail-01": "insert into gold.fraud_patterns_weekly from gold.fraud_patterns_weekly "
        "where {own} limit 1",
    }
    for slug, change in changes.items():
        before = live(home)
        with duckdb.connect(str(home.warehouse)) as warehouse:
            warehouse.execute(change.format(own=f"partner_id_hash = '{hashes(home)[slug]}'"))
        publish(home)
        assert {s for s, name in live(home).items() if name != before[s]} == {slug}
        for mart in OWN:
            rows = read(home.published_file, mart)
            mine = [row for row in rows if row[0] == hashes(home)[slug]]
            assert read(home.partner_file(slug), mart) == mine
    before = live(home)
    publish(home)
    assert live(home) == before
    with duckdb.connect(str(home.warehouse)) as warehouse:
        warehouse.execute("update gold.public_claim_report set claims = claims + 1")
    publish(home)
    assert not set(live(home).values()) & set(before.values())


def test_a_publication_killed_between_pointer_and_link_is_completed(home: Home):
    """Views show the new rows, people the old ones. Then gold is again as people see it."""
    build(home)
    publish(home)
    file, current = home.partner_file("retail-01"), home.partners / "retail-01" / "current"
    old = current.readlink()
    with duckdb.connect(str(home.warehouse)) as warehouse:
        warehouse.execute("update gold.daily_claim_stats set claims = 9")
    publish(home)
    current.unlink()
    current.symlink_to(old)
    build(home)
    publish(home)
    assert {claims for _, claims, _ in read(file, "daily_claim_stats")} == {0, 1, 2}
    assert live(home)


def test_a_partner_without_rows_has_empty_marts(home: Home):
    build(home)
    with duckdb.connect(str(home.warehouse)) as warehouse:
        own = hashes(home)["retail-01"]
        warehouse.execute(f"delete from gold.daily_claim_stats where partner_id_hash = '{own}'")
    publish(home)
    assert read(home.partner_file("retail-01"), "daily_claim_stats") == []
    assert marts_of(home.partner_file("retail-01")) == OWN | WHOLE
    assert foreign(home) == set()
    assert not (home.partners / ".new").exists()


def test_old_releases_go_and_connected_readers_see_the_new_one(
    home: Home, monkeypatch: pytest.MonkeyPatch
):
    """As with the main file: two stay, and views follow the pointer."""
    monkeypatch.setattr("loaders.gold.publish.KEPT_SECONDS", 0)
    monkeypatch.setattr("loaders.gold.publish.GRACE_SECONDS", 0)
    build(home)
    publish(home)
    with duckdb.connect(str(home.partner_file("retail-01")), read_only=True) as reader:
        for number in range(1, 4):
            with duckdb.connect(str(home.warehouse)) as warehouse:
                warehouse.execute("update gold.daily_claim_stats set claims = ?", [number])
            publish(home)
            seen = reader.execute("select distinct claims from gold.daily_claim_stats").fetchall()
            assert seen == [(number,)]
    releases = [p for p in (home.partners / "retail-01" / "releases").glob("*/*") if p.is_dir()]
    assert len(releases) == 2
