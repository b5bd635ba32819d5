"""`assay dashboards plan` and `apply` against a stand-in that speaks Metabase's protocol.

What this shows is that requests are as Metabase's own document has them, and that what was written
is found again. That Metabase draws it is shown by nothing here.
"""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
from applied import files, lines, metabase, run
from metabase_standin import EVERYBODY, StandIn
from planted import plant

from loaders.dashboards.declared import read_dashboards
from loaders.home import Home

__all__ = ["files", "metabase"]  # fixtures
PARTNERS = ("insurance-01", "retail-02")


def test_every_file_is_applied_and_the_second_time_nothing_is_written(
    metabase: StandIn, home: Home
):
    """All dashboards of the project, and those of partners once for each."""
    for slug in PARTNERS:
        home.partner_file(slug).touch()
    planned = lines(run("plan", home))
    assert metabase.writes == []
    applied = lines(run("apply", home))
    # Tables are there once Metabase has read them.
    assert sorted(planned) == sorted(line for line in applied if " table " not in line)
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
    assert read["Assay operations"] == {"Access", "Engagement", "Fraud", "Gaming", "Operations"}
    assert read["Assay executives"] == {"Executive"}
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
    "a tab": ("dashboard", "Small", lambda t: t["tabs"].append({"id": 5, "name": "More"})),
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
    dashboard, tables = 14, 30  # so many writes make the one, and more describe the others
    at = [*(dice.randrange(1, dashboard) for _ in range(4)), dice.randrange(dashboard, tables)]
    for number in at:
        metabase.fail_after = number
        run("apply", home, files, code=1)
        metabase.fail_after = None
        run("apply", home, files)
        assert lines(run("plan", home, files)) == []
        assert len(metabase.of("card")) == 3
        for kind in ("database", "dashboard", "notification", "pulse"):
            assert len(metabase.of(kind)) == 1, kind
        for kind in metabase.things:
            metabase.things[kind].clear()
        for group in [n for n, name in metabase.groups.items() if name.startswith("Assay")]:
            del metabase.groups[group]
