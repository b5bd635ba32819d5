"""A Metabase that is new, too old, of BigQuery, or not reachable; and who is told."""

from __future__ import annotations

import json
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from applied import files, lines, metabase, run
from metabase_standin import EMAIL, EVERYBODY, PASSWORD, StandIn

from loaders.home import Home, init_home

__all__ = ["files", "metabase"]  # fixtures


def test_a_new_metabase_is_set_up(home: Home, files: Path, monkeypatch: pytest.MonkeyPatch):
    """The administrator is made once, and everybody else loses the outermost collection."""
    with StandIn(is_set_up=False) as standin:
        standin.marts = ["attempts_daily", "attempts_hourly"]
        monkeypatch.setenv("ASSAY_METABASE_URL", standin.url)
        monkeypatch.delenv("ASSAY_METABASE_KEY", raising=False)
        monkeypatch.setattr("loaders.dashboards.server.tables.time.sleep", lambda _: None)
        planned = run("plan", home, files)
        assert "Nobody has set this Metabase up" in planned.output
        assert standin.writes == []
        assert "no credentials" in run("apply", home, files, code=1).output
        monkeypatch.setenv("ASSAY_METABASE_EMAIL", EMAIL)
        monkeypatch.setenv("ASSAY_METABASE_PASSWORD", PASSWORD)
        run("apply", home, files)
        assert standin.site == "Assay"
        assert standin.graphs["collection"]["groups"][str(EVERYBODY)]["root"] == "none"
        before = len(standin.writes)
        run("apply", home, files)
        assert len(standin.writes) == before
        assert standin.violations == []


@pytest.mark.parametrize("version", ["v0.57.9", "v1.54.2", "vUNKNOWN"])
def test_an_older_metabase_is_refused(metabase: StandIn, home: Home, files: Path, version: str):
    metabase.version = version
    result = run("apply", home, files, code=1)
    assert result.output.startswith(f"METABASE_REFUSED: it is of version {version}; 58 or later")
    assert [path for _, path, _ in metabase.requests] == ["session/properties"]


def test_what_goes_wrong_is_one_line(
    metabase: StandIn, home: Home, files: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("ASSAY_METABASE_KEY", "another")
    refused = run("apply", home, files, code=1).output
    assert "not allowed" in refused and refused.count("\n") == 1
    monkeypatch.setenv("ASSAY_METABASE_URL", "http://127.0.0.1:9")
    assert "got no answer" in run("plan", home, files, code=1).output
    monkeypatch.delenv("ASSAY_METABASE_URL")
    assert "ASSAY_METABASE_URL is not set" in run("plan", home, files, code=1).output


def test_credentials_go_nowhere_else(
    metabase: StandIn, home: Home, files: Path, monkeypatch: pytest.MonkeyPatch
):
    """Who is sent on to another address is told of it, and asks nothing there."""

    class Moved(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(HTTPStatus.MOVED_PERMANENTLY)
            self.send_header("Location", f"{metabase.url}{self.path}")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Moved) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("ASSAY_METABASE_URL", f"http://127.0.0.1:{server.server_port}")
        told = run("plan", home, files, code=1).output
        server.shutdown()
    assert "leads to another address" in told and told.count("\n") == 1
    assert metabase.requests == []


def test_members_of_a_group_get_a_subscription(metabase: StandIn, home: Home, files: Path):
    """An address gets it at once, a member when there is one."""
    run("apply", home, files)
    (pulse,) = metabase.of("pulse")
    assert pulse["channels"][0]["recipients"] == [{"email": "one@example.com"}]
    (group,) = [n for n, name in metabase.groups.items() if name == "Assay analysts"]
    metabase.members.append({"user_id": 12, "group_id": group})
    assert lines(run("apply", home, files)) == ["~ subscription small/weekly: channels"]
    assert pulse["channels"][0]["recipients"] == [{"id": 12}, {"email": "one@example.com"}]


def test_a_database_of_bigquery_has_its_key_and_never_sends_it_twice(
    metabase: StandIn, tmp_path: Path, files: Path, monkeypatch: pytest.MonkeyPatch
):
    """A key is not given back, so that it is not compared."""
    marker = {
        "residency": "eu",
        "bigquery": {"project": "p", "dataset": "assay_eu", "location": "x"},
    }
    home = init_home(tmp_path / "home")[0]
    text = json.loads(home.marker.read_text())
    home.marker.write_text(json.dumps(text | marker), encoding="utf-8")
    keys = tmp_path / "keys"
    keys.mkdir()
    (keys / "gold.json").write_text('{"type": "service_account"}')
    monkeypatch.setenv("ASSAY_METABASE_KEYS", str(keys))
    monkeypatch.setattr("metabase_standin.SCHEMA", "assay_eu_gold")
    run("apply", home, files)
    (database,) = metabase.of("database")
    assert database["engine"] == "bigquery-cloud-sdk"
    assert database["details"]["dataset-filters-patterns"] == "assay_eu_gold"
    card = metabase.named("card", "Requests by")
    assert "from `p`.`assay_eu_gold`.`attempts_daily`" in card["dataset_query"]["native"]["query"]
    assert lines(run("plan", home, files)) == []
