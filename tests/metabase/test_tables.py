"""What models say of marts and columns is said in Metabase, and nothing else of them is touched."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from applied import files, lines, metabase, run
from conftest import Demo
from metabase_standin import KEY, StandIn

from loaders.gold.marts import models_of
from loaders.home import Home

__all__ = ["files", "metabase"]  # fixtures
GOLD = "Assay gold"


def described(standin: StandIn) -> dict[tuple[str, str], str]:
    """What is said of each mart, under "", and of each column."""
    (database,) = standin.of("database")
    found: dict[tuple[str, str], str] = {}
    for table in standin._metadata(str(database["id"]))["tables"]:
        found[table["name"], ""] = table["description"]
        found |= {(table["name"], f["name"]): f["description"] for f in table["fields"]}
    return found


def test_marts_and_columns_are_described_as_dbt_has_it(
    metabase: StandIn, home: Home, files: Path, demo: Demo
):
    """Held against dbt's own manifest, in which doc blocks are written out."""
    metabase.marts = sorted(models_of("gold"))
    run("apply", home, files)
    nodes = json.loads(manifest_of(demo).read_text(encoding="utf-8"))["nodes"].values()
    gold = {n["name"]: n for n in nodes if n["name"] in models_of("gold") and "columns" in n}
    expected = {(name, ""): node["description"] for name, node in gold.items()}
    for name, node in gold.items():
        expected |= {(name, c): of["description"] for c, of in node["columns"].items()}
    assert described(metabase) == {key: " ".join(text.split()) for key, text in expected.items()}


def manifest_of(demo: Demo) -> Path:
    """Of the build of the demo."""
    return demo.home.path / "target" / "manifest.json"


@pytest.mark.parametrize("kind", ["table", "field"])
def test_what_was_said_by_hand_is_shown_and_undone_by_one_write(
    metabase: StandIn, home: Home, files: Path, kind: str
):
    run("apply", home, files)
    as_meant = described(metabase)
    number = min(metabase.said[kind])
    metabase.said[kind][number] = "Something else."
    before = len(metabase.writes)
    (planned,) = lines(run("plan", home, files))
    assert planned == f"~ table {GOLD}/{metabase.marts[0]}: descriptions"
    assert len(metabase.writes) == before
    assert lines(run("apply", home, files)) == [planned]
    assert metabase.writes[before:] == [("PUT", f"{kind}/{number}")]
    assert described(metabase) == as_meant


def test_nothing_but_descriptions_is_sent(metabase: StandIn, home: Home, files: Path):
    """How a column is called or shown is decided in Metabase."""
    run("apply", home, files)
    sent = [body for _, path, body in metabase.requests if path.startswith(("table/", "field/"))]
    assert len(sent) > len(metabase.marts)
    assert {key for body in sent for key in body} == {"description"}


def test_dbt_metabase_finds_nothing_left_to_say(
    metabase: StandIn, home: Home, files: Path, demo: Demo, monkeypatch: pytest.MonkeyPatch
):
    """The library that others describe tables with: `pip install dbt-metabase==1.7.5`.

    It is no part of this project. It judges ours: asked to do the same, it has nothing to do; and
    where something is missing it says that.
    """
    dbtmetabase = pytest.importorskip("dbtmetabase", reason="no dbt-metabase here")
    monkeypatch.setattr("dbtmetabase._models._SYNC_PERIOD", 0)
    folded = json.loads(manifest_of(demo).read_text(encoding="utf-8"))
    for node in folded["nodes"].values():  # ours are on one line
        for one in (node, *node.get("columns", {}).values()):
            one["description"] = " ".join(one.get("description", "").split())
    metabase.marts = sorted(models_of("gold"))
    file = files / "manifest.json"
    file.write_text(json.dumps(folded), encoding="utf-8")
    run("apply", home, files)
    judge = dbtmetabase.DbtMetabase(file, metabase.url, KEY)
    before = len(metabase.writes)
    for lacking in (False, True):
        if lacking:
            metabase.said["field"].popitem()
        judge.export_models(
            GOLD, schema_filter=dbtmetabase.Filter(include=["gold"]), skip_sources=True
        )
        assert len(metabase.writes) - before == lacking
    metabase.violations.clear()  # of the library, which asks for more than the document has
