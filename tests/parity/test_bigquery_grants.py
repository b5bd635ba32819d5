"""What `permissions.yml` comes to on BigQuery: rights for who is named, and for nobody else."""

from __future__ import annotations

from collections import defaultdict

import yaml
from bigquery_place import PROJECT, Place, assay, bigquery_client, place, reached, service

from loaders.home import Home
from loaders.permissions import FILE

__all__ = ["place", "reached", "service"]  # fixtures

VIEWER, EDITOR = "roles/bigquery.dataViewer", "roles/bigquery.dataEditor"
LAYERS = ("bronze", "silver", "gold", "gold_restricted", "vault")
PERMITTED = {
    "may": {
        "export": ["ann", "readers", "no-account"],
        "release": ["ann"],
        "rotate": ["keeper"],
        "erase": ["keeper"],
        "expire": [],
    },
    "on_bigquery": {
        "ann": "ann@x.example",
        "keeper": "keeper@p.iam.gserviceaccount.com",
        "readers": "group:readers@x.example",
        "idle": "idle@x.example",
    },
}
# By hand from the table in docs/permissions.md.
WANTED = {
    "main": {("ann@x.example", VIEWER), ("keeper@p.iam.gserviceaccount.com", VIEWER)},
    "bronze": {
        ("ann@x.example", EDITOR),
        ("keeper@p.iam.gserviceaccount.com", EDITOR),
        ("readers@x.example", EDITOR),
    },
    "silver": {("ann@x.example", VIEWER), ("keeper@p.iam.gserviceaccount.com", EDITOR)},
    "gold": {("ann@x.example", VIEWER), ("readers@x.example", VIEWER)},
    "gold_restricted": {("keeper@p.iam.gserviceaccount.com", EDITOR)},
    "vault": {("keeper@p.iam.gserviceaccount.com", EDITOR)},
}


def permit(home: Home, permitted: dict[str, object]) -> None:
    (home.path / FILE).write_text(yaml.safe_dump(permitted), encoding="utf-8")


def rights(place: Place) -> dict[str, set[tuple[str, str]]]:
    """Accounts and roles of each layer, as the service has them."""
    found: dict[str, set[tuple[str, str]]] = defaultdict(set)
    for layer in ("main", *LAYERS):
        name = place.dataset if layer == "main" else f"{place.dataset}_{layer}"
        for entry in bigquery_client().get_dataset(f"{PROJECT}.{name}").access_entries:
            if entry.entity_type in ("userByEmail", "groupByEmail"):
                found[layer].add((entry.entity_id, entry.role))
    return dict(found)


def test_who_is_named_gets_what_that_needs_and_nobody_else(place: Place):
    """Applied twice, it is the same; what is only printed grants nothing."""
    before = rights(place)
    permit(place.home, PERMITTED)
    assert assay("permissions", "--grants", home=place.home)[0] == 0
    assert rights(place) == before
    for _ in range(2):
        assert assay("permissions", "--apply", home=place.home)[0] == 0
        gained = {name: found - before.get(name, set()) for name, found in rights(place).items()}
        assert gained == WANTED


def test_the_statements_say_the_same(place: Place):
    permit(place.home, PERMITTED)
    code, text = assay("permissions", "--grants", home=place.home)[:2]
    assert code == 0
    lines = text.splitlines()
    assert len(lines) == sum(map(len, WANTED.values()))
    gold = f"on schema `{PROJECT}`.`{place.dataset}_gold` to"
    assert f"grant `{VIEWER}` {gold} 'group:readers@x.example';" in lines
    assert f"grant `{VIEWER}` {gold} 'user:ann@x.example';" in lines
    vault = f"on schema `{PROJECT}`.`{place.dataset}_vault` to"
    assert f"grant `{EDITOR}` {vault} 'serviceAccount:keeper@p.iam.gserviceaccount.com';" in lines


def test_a_file_without_accounts_grants_nothing(place: Place):
    """As the one that `assay init` makes."""
    before = rights(place)
    text = assay("permissions", "--apply", home=place.home)[1]
    assert text.startswith("No name has an account under on_bigquery")
    assert rights(place) == before


def test_a_rotation_is_refused_to_who_is_not_named(place: Place):
    """On BigQuery too: no key is made, and the log says so."""
    permit(place.home, {"may": {"rotate": ["somebody-else"]}})
    assert assay("vault", "rotate", home=place.home)[0] == 1
    (row,) = place.rows("audit_log")
    assert (row["action"], row["sequence"]) == ("key_rotation", 1)
    assert "PERMISSION_DENIED" in row["result_summary"]
