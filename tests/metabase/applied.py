"""What tests of applying share: a Metabase, a folder of files, and the command."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from metabase_standin import KEY, StandIn
from planted import plant

from loaders.cli import main
from loaders.home import Home

WEEKLY = "subscriptions:\n  weekly: {every: monday 08:00, to: [analysts, one@example.com]}\n"


@pytest.fixture
def metabase(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Iterator[StandIn]:
    """A Metabase that somebody has set up, and an API key for it.

    It finds the tables that the small dashboard reads, and all where the others are applied.
    """
    with StandIn() as standin:
        if "files" in request.fixturenames:
            standin.marts = ["attempts_daily", "attempts_hourly"]
        monkeypatch.setenv("ASSAY_METABASE_URL", standin.url)
        monkeypatch.setenv("ASSAY_METABASE_KEY", KEY)
        monkeypatch.setattr("loaders.dashboards.server.tables.time.sleep", lambda _: None)
        yield standin
        assert standin.violations == []


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A folder with one small dashboard."""
    folder = tmp_path / "files"
    plant(folder)
    with (folder / "small.yml").open("a", encoding="utf-8") as file:
        file.write(WEEKLY)
    return folder


def run(command: str, home: Home, folder: Path | None = None, code: int = 0) -> Result:
    options = ["--folder", str(folder)] if folder else []
    result = CliRunner().invoke(main, ["dashboards", command, "--home", str(home.path), *options])
    assert result.exit_code == code, result.output
    return result


def lines(result: Result) -> list[str]:
    return [line for line in result.output.splitlines() if line[:2] in ("+ ", "~ ", "- ")]
