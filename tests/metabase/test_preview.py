"""A preview shows what the queries answer, and loads and runs nothing."""

from __future__ import annotations

import os
import re
from html import unescape
from pathlib import Path

import duckdb
import pytest
import yaml
from click.testing import CliRunner
from conftest import PROJECT
from gold import published
from planted import plant

from loaders.cli import main
from loaders.dashboards.declared import read_dashboard, read_dashboards
from loaders.dashboards.exposures import exposures
from loaders.dashboards.preview import page
from loaders.home import Home

__all__ = ["published"]
DASHBOARDS = read_dashboards()
# All in a long run; otherwise one with every kind of card.
DRAWN = DASHBOARDS if os.environ.get("ASSAY_LONG") == "1" else DASHBOARDS[:1]


@pytest.mark.parametrize("dashboard", DRAWN, ids=lambda dashboard: dashboard.slug)
def test_every_card_is_on_the_page(published: Home, dashboard):
    text = page(published, dashboard).decode()
    for card in dashboard.cards.values():
        assert f">{card.title}</h2>" in unescape(text)
        part = text[text.index(f'id="{card.slug}"') :]
        part = part[: part.index("</section>")]
        drawn = {"number": 'class="figure"', "table": "<table>"}.get(card.show, "<svg")
        assert drawn in part or "Nothing is told" in part, card.slug
    assert not re.search(r"<script|\bon\w+=|(src|href)=\"(?!#)|url\((?!#)", text)


def test_a_figure_is_that_of_the_mart(published: Home, tmp_path: Path):
    """Recounted on the mart, of the last seven days and today, as its filter says."""
    text = page(published, read_dashboard(plant(tmp_path))).decode()
    with duckdb.connect(str(published.published_file), read_only=True) as gold:
        (expected,) = gold.execute(
            "select sum(attempts) from gold.attempts_daily where period_start > "
            "(select max(period_start) from gold.attempts_daily) - 8"
        ).fetchone()
    assert f'<span class="figure">{expected:,}</span>' in text


def test_what_files_and_marts_say_is_text(published: Home, tmp_path: Path):
    hostile = "<img src=x onerror=alert(1)>"
    file = plant(tmp_path, "title: Requests by day", f'title: "{hostile}"')
    file.write_text(
        file.read_text(encoding="utf-8").replace("where {{", f"where '{hostile}' != '' and {{{{"),
        encoding="utf-8",
    )
    assert hostile not in page(published, read_dashboard(file)).decode()


def test_the_command_writes_a_page_for_each_file(published: Home, tmp_path: Path):
    plant(tmp_path / "files")
    command = ["dashboards", "preview", str(tmp_path / "pages"), "--home", str(published.path)]
    done = CliRunner().invoke(main, [*command, "--folder", str(tmp_path / "files")])
    assert done.exit_code == 0, done.output
    assert [path.name for path in (tmp_path / "pages").iterdir()] == ["small.html"]


def test_exposures_are_those_of_the_files():
    """The file that dbt reads is the one that is printed."""
    written = (PROJECT / "models" / "dashboards.yml").read_text(encoding="utf-8")
    assert written == exposures(DASHBOARDS)
    names = {entry["name"] for entry in yaml.safe_load(written)["exposures"]}
    assert names == {f"dashboard_{dashboard.slug}" for dashboard in DASHBOARDS}


def test_containers_see_what_is_published_and_nothing_else_of_a_home():
    services = yaml.safe_load((PROJECT / "compose.yaml").read_text(encoding="utf-8"))["services"]
    mounts = services["metabase"]["volumes"]
    of_home = {m.split(":?}")[1].split(":")[0] for m in mounts if m.startswith("${ASSAY_HOME")}
    assert of_home == {"/published.duckdb", "/published"}
    assert all(mount.endswith(":ro") for mount in mounts)
