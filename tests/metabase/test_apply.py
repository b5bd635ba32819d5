"""`assay dashboards plan` and `apply` against a stand-in that speaks Metabase's protocol.

What this shows is that requests are as Metabase's own document has them, and that what was written
is found again. That Metabase draws it is shown by nothing here.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from contract import violations
from metabase_standin import EMAIL, EVERYBODY, KEY, PASSWORD, StandIn
from planted import plant

from loaders.cli import main
from loaders.dashboards.declared import read_dashboards
from loaders.dashboards.server.bodies import WIDTH, grid
from loaders.dashboards.server.messages import cron
from loaders.home import Home, init_home

PARTNERS = ("insurance-01", "retail-02")
WEEKLY = "subscriptions:\n  weekly: {every: monday 08:00, to: [analysts, one@example.com]}\n"


@pytest.fixture
def metabase(monkeypatch: pytest.MonkeyPatch) -> Iterator[StandIn]:
    """A Metabase that somebody has set up, and an API key for it."""
    with StandIn() as standin:
        monkeypatch.setenv("ASSAY_METABASE_URL", standin.url)
        monkeypatch.setenv("ASSAY_METABASE_KEY", KEY)
        monkeypatch.setattr("loaders.dashboards.server.access.time.sleep", lambda _: None)
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


def test_every_file_is_applied_and_the_second_time_nothing_is_written(
    metabase: StandIn, home: Home
):
    """All dashboards of the project, and those of partners once for each."""
    for slug in PARTNERS:
        home.partner_file(slug).touch()
    planned = lines(run("plan", home))
    assert metabase.writes == []
    applied = lines(run("apply", home))
    assert sorted(planned) == sorted(applied)
    dashboards = read_dashboards()
    shared = [d for d in dashboards if not d.is_for_partners]
    of_partners = [d for d in dashboards if d.is_for_partners]
    assert len(metabase.of("dashboard")) == len(shared) + len(PARTNERS) * len(of_partners)
    assert len(metabase.of("database")) == 1 + len(PARTNERS)
    assert len(metabase.of("notification")) == sum(len(d.alerts) for d in shared)
    first = len(metabase.writes)
    assert lines(run("plan", home)) == []
    assert lines(run("apply", home)) == []
    assert len(metabase.writes) == first


def test_a_dashboard_has_its_cards_and_filters(metabase: StandIn, home: Home, files: Path):
    run("apply", home, files)
    by_day = metabase.named("card", "Requests by")
    assert by_day["display"] == "line"
    native = by_day["dataset_query"]["native"]
    assert "from gold.attempts_daily" in native["query"]
    assert "{{period}} and {{domain}}" in native["query"]
    tag = native["template-tags"]["period"]
    assert (tag["type"], tag["widget-type"]) == ("dimension", "date/all-options")
    assert (tag["alias"], tag["default"]) == ("attempts_daily.period_start", "past7days~")
    (database,) = metabase.of("database")
    fields = {
        (t["name"], f["name"]): f["id"]
        for t in metabase._metadata(str(database["id"]))["tables"]
        for f in t["fields"]
    }
    assert tag["dimension"] == ["field", fields["attempts_daily", "period_start"], None]
    (dashboard,) = metabase.of("dashboard")
    ids = {parameter["slug"]: parameter["id"] for parameter in dashboard["parameters"]}
    assert list(ids) == ["period", "domain"]
    shown = {card["card_id"]: card for card in dashboard["dashcards"]}
    mapped = shown[by_day["id"]]["parameter_mappings"]
    assert {m["parameter_id"] for m in mapped} == set(ids.values())
    assert [(c["col"], c["size_x"]) for c in dashboard["dashcards"]] == [(0, 6), (6, 18)]


def test_only_readers_named_by_the_files_may_read(metabase: StandIn, home: Home):
    """What is of others stays as it is; all users read nothing of ours."""
    home.partner_file(PARTNERS[0]).touch()
    metabase.graphs["collection"]["groups"]["77"] = {"55": "write"}
    before = {name: json.dumps(g["groups"]["2"]) for name, g in metabase.graphs.items()}
    run("apply", home)
    rights = metabase.graphs["collection"]["groups"]
    assert rights["77"] == {"55": "write"}
    assert rights[str(EVERYBODY)]["root"] == "write"
    assert {name: json.dumps(g["groups"]["2"]) for name, g in metabase.graphs.items()} == before
    groups = {name: str(number) for number, name in metabase.groups.items()}
    collections = {str(c["id"]): c["name"] for c in metabase.of("collection")}
    read = {
        name: {collections[c] for c, right in rights[groups[name]].items() if right == "read"}
        for name in groups
        if name.startswith("Assay")
    }
    assert read["Assay partner insurance-01"] == {"insurance-01"}
    assert read["Assay compliance"] == {"Compliance"}
    assert read["Assay operations"] == {"Access", "Engagement", "Gaming", "Operations"}
    everybody = rights[str(EVERYBODY)]
    assert {everybody.get(c, "none") for c in collections} == {"none"}
    data = metabase.graphs["permissions"]["groups"]
    of_partner = metabase.named("database", "Assay gold of insurance-01")
    asks = {
        name: {db: of.get("create-queries", "no") for db, of in data.get(number, {}).items()}
        for name, number in groups.items()
    }
    assert str(of_partner["id"]) not in asks["Assay analysts"]
    assert set(asks["Assay partner insurance-01"].values()) <= {"no"}
    assert set(asks["All Users"].values()) <= {"no"}
    assert "query-builder-and-native" in asks["Assay analysts"].values()


BY_HAND = {
    "a query": ("card", "Requests by", lambda t: t["dataset_query"]["native"].update(query="x")),
    "a title": ("card", "Requests by", lambda t: t.update(name="Requests by the day")),
    "a picture": ("card", "Requests by", lambda t: t.update(display="pie")),
    "a place": ("dashboard", "Small", lambda t: t["dashcards"][0].update(size_x=4)),
    "a card taken off": ("dashboard", "Small", lambda t: t["dashcards"].pop()),
    "another collection": ("dashboard", "Small", lambda t: t.update(collection_id=5)),
    "a recipient": ("notification", "", lambda t: t["handlers"][0].update(recipients=[])),
    "a rhythm": (
        "notification",
        "",
        lambda t: t["subscriptions"][0].update(cron_schedule="0 0 1 * * ? *"),
    ),
}


@pytest.mark.parametrize("change", BY_HAND)
def test_a_change_by_hand_is_shown_and_undone_by_one_write(
    metabase: StandIn, home: Home, files: Path, change: str
):
    run("apply", home, files)
    kind, name, by_hand = BY_HAND[change]
    (thing,) = [t for t in metabase.of(kind) if t.get("name", "").startswith(name)]
    meant = json.dumps(thing["id"])
    by_hand(thing)
    before = len(metabase.writes)
    (planned,) = lines(run("plan", home, files))
    assert planned.startswith("~ ")
    assert ("changed by hand" in planned) == (kind != "notification")
    assert len(metabase.writes) == before
    assert lines(run("apply", home, files)) == [planned]
    assert metabase.writes[before:] == [("PUT", f"{kind}/{meant}")]
    assert lines(run("plan", home, files)) == []


def test_a_change_of_a_file_is_not_called_one_by_hand(metabase: StandIn, home: Home, files: Path):
    run("apply", home, files)
    file = files / "small.yml"
    file.write_text(file.read_text().replace("Requests by day", "Requests, by day"))
    assert lines(run("apply", home, files)) == ["~ card small/by_day: name, description"]


def test_what_others_made_is_never_touched(metabase: StandIn, home: Home, files: Path):
    """Not even where it has the title of ours, or hangs on a card of ours."""
    run("apply", home, files)
    (alert,) = metabase.of("notification")
    theirs = [
        metabase._make("card", {**metabase.of("card")[0], "description": "Mine"}),
        metabase._make("dashboard", {"name": "Small", "description": None}),
        metabase._make("notification", {**alert, "creator_id": 9}),
        metabase._make("pulse", {"name": "Small", "cards": [], "channels": []}),
    ]
    metabase.things["notification"][theirs[2]["id"]]["creator_id"] = 9
    (files / "small.yml").unlink()
    plant(files, "dashboard: small", "dashboard: other", name="other")
    before = len(metabase.writes)
    run("apply", home, files)
    touched = {path for method, path in metabase.writes[before:] if method == "PUT"}
    for thing, kind in zip(theirs, ("card", "dashboard", "notification", "pulse"), strict=True):
        assert f"{kind}/{thing['id']}" not in touched


def test_what_is_in_no_file_any_more_goes_to_the_trash(metabase: StandIn, home: Home, files: Path):
    run("apply", home, files)
    file = files / "small.yml"
    text = file.read_text()
    file.write_text(text[: text.index("alerts:")])
    assert lines(run("apply", home, files)) == [
        "- alert small/alerts/storm",
        "- subscription small/weekly",
        "- card small/alerts/storm",
    ]
    assert lines(run("plan", home, files)) == []


def test_an_application_that_is_killed_goes_on(
    metabase: StandIn, home: Home, files: Path, dice: random.Random
):
    """After any write: the next run makes the rest, and nothing twice."""
    metabase.members.append({"user_id": 4, "group_id": 0})
    whole = 14
    for _ in range(4):
        metabase.fail_after = dice.randrange(1, whole)
        run("apply", home, files, code=1)
        metabase.fail_after = None
        run("apply", home, files)
        assert lines(run("plan", home, files)) == []
        assert len(metabase.of("card")) == 3
        for kind in ("database", "dashboard", "notification", "pulse"):
            assert len(metabase.of(kind)) == 1, kind
        for kind in metabase.things:
            metabase.things[kind].clear()
        for number in [n for n, name in metabase.groups.items() if name.startswith("Assay")]:
            del metabase.groups[number]


def test_a_new_metabase_is_set_up(home: Home, files: Path, monkeypatch: pytest.MonkeyPatch):
    """The administrator is made once, and everybody else loses the outermost collection."""
    with StandIn(is_set_up=False) as standin:
        monkeypatch.setenv("ASSAY_METABASE_URL", standin.url)
        monkeypatch.delenv("ASSAY_METABASE_KEY", raising=False)
        monkeypatch.setattr("loaders.dashboards.server.access.time.sleep", lambda _: None)
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


def test_rows_fill_the_grid():
    """No card over another, none over the edge, no gap in a row."""
    for dashboard in read_dashboards():
        cells: set[tuple[int, int]] = set()
        for place in grid(dashboard).values():
            assert place["col"] + place["size_x"] <= WIDTH
            its = {
                (place["row"] + y, place["col"] + x)
                for x in range(place["size_x"])
                for y in range(place["size_y"])
            }
            assert not cells & its, dashboard.slug
            cells |= its


def test_rhythms_are_those_of_quartz():
    """Worked out by hand from Quartz's own description: seconds first, Sunday is 1."""
    assert cron("hour") == "0 20 * * * ? *"
    assert cron("day 09:00") == "0 0 9 * * ? *"
    assert cron("monday 08:00") == "0 0 8 ? * 2 *"
    assert cron("saturday 23:00") == "0 0 23 ? * 7 *"


def test_the_document_refuses_what_is_wrong():
    """Planted faults in requests: without these the stand-in would take anything."""
    card = {"name": "n", "display": "line", "dataset_query": {}, "visualization_settings": {}}
    assert violations("POST", "/api/card", {}, card) == []
    faults = [
        ("POST", "/api/card", {}, {k: v for k, v in card.items() if k != "display"}),
        ("POST", "/api/card", {}, card | {"colour": "red"}),
        ("POST", "/api/alert", {}, card),
        ("GET", "/api/card", {}, None),
        ("GET", "/api/card", {"f": "all", "g": "none"}, None),
        ("PUT", "/api/dashboard/1", {}, {"dashcards": [{"id": "one"}]}),
        ("POST", "/api/notification", {}, {"payload_type": "notification/card"}),
        (
            "POST",
            "/api/notification",
            {},
            {
                "payload_type": "notification/card",
                "payload": {"card_id": 1, "send_condition": "sometimes"},
            },
        ),
    ]
    for fault in faults:
        assert violations(*fault), fault
