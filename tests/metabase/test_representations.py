"""Metabase's own validator takes every card and dashboard that is applied.

It has a schema for the files in which Metabase keeps such things, and reads no numbers: what was
applied to the stand-in is written as such files. In a long run, where the validator is:
`npm install @metabase/representations@1.2.0`, and ASSAY_METABASE_VALIDATOR names its
`representations`. It is under the AGPL, and no part of this project.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from applied import metabase, run
from conftest import LONG_ALONE
from metabase_standin import StandIn, Thing

from loaders.home import Home

__all__ = ["metabase"]  # a fixture
VALIDATOR = os.environ.get("ASSAY_METABASE_VALIDATOR") or shutil.which("representations")
BY = "admin@example.com"

pytestmark = [
    LONG_ALONE,
    pytest.mark.skipif(not VALIDATOR, reason="no validator here: set ASSAY_METABASE_VALIDATOR"),
]


def written(standin: StandIn, folder: Path) -> Path:
    """Write the cards and dashboards of a stand-in, as JSON, which is YAML.

    Returns the file of a card with filters.
    """
    collections = folder / "collections" / "main"
    collections.mkdir(parents=True)
    found = None
    for card in standin.of("card"):
        file = collections / f"card_{card['id']}.yaml"
        represented = _card(standin, standin._get("card", str(card["id"])))
        file.write_text(json.dumps(represented), encoding="utf-8")
        found = file if represented["parameters"] else found
    for dashboard in standin.of("dashboard"):
        file = collections / f"dashboard_{dashboard['id']}.yaml"
        file.write_text(json.dumps(_dashboard(standin, dashboard)), encoding="utf-8")
    assert found is not None
    return found


def _card(standin: StandIn, card: Thing) -> Thing:
    database = standin.things["database"][card["dataset_query"]["database"]]
    fields = {
        field["id"]: [database["name"], table["schema"], table["name"], field["name"]]
        for table in standin._metadata(str(database["id"]))["tables"]
        for field in table["fields"]
    }
    (stage,) = card["dataset_query"]["stages"]
    for tag in stage["template-tags"].values():
        kind, _, number = tag["dimension"]
        tag["dimension"] = [kind, {}, fields[number]]
    return _known(standin, card, "Card") | {
        "display": card["display"],
        "dataset_query": {**card["dataset_query"], "database": database["name"]},
        "visualization_settings": card["visualization_settings"],
        "parameters": [
            {k: v for k, v in parameter.items() if k != "target"}
            for parameter in card["parameters"]
        ],
        "type": card["type"],
    }


def _dashboard(standin: StandIn, dashboard: Thing) -> Thing:
    known = _known(standin, dashboard, "Dashboard")
    cards = {card["id"]: card["entity_id"] for card in standin.of("card")}
    return known | {
        "parameters": dashboard["parameters"],
        "dashcards": [
            {
                **{k: v for k, v in card.items() if k not in ("id", "dashboard_id", "action_id")},
                "card_id": cards[card["card_id"]],
                "parameter_mappings": [
                    {**mapping, "card_id": cards[mapping["card_id"]]}
                    for mapping in card["parameter_mappings"]
                ],
                "serdes/meta": [
                    *known["serdes/meta"],
                    {"id": card["entity_id"], "model": "DashboardCard"},
                ],
            }
            for card in dashboard["dashcards"]
        ],
    }


def _known(standin: StandIn, thing: Thing, model: str) -> Thing:
    collection = standin.things["collection"][thing["collection_id"]]
    return {
        "name": thing["name"],
        "description": thing["description"],
        "entity_id": thing["entity_id"],
        "creator_id": BY,
        "collection_id": collection["entity_id"],
        "serdes/meta": [{"id": thing["entity_id"], "model": model}],
    }


def validated(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(VALIDATOR), "validate-schema", "--folder", str(folder)],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


# Planted in a card with filters: without these the validator might take anything.
FAULTS = {
    "a picture that there is not": lambda card: card.update(display="linee"),
    "a filter of no field": lambda card: next(
        iter(card["dataset_query"]["stages"][0]["template-tags"].values())
    ).pop("dimension"),
    "a parameter without an id": lambda card: card["parameters"][0].pop("id"),
}


def test_the_validator_takes_all_that_is_applied_and_refuses_what_is_wrong(
    metabase: StandIn, home: Home, tmp_path: Path
):
    """All dashboards of the project, those of a partner too."""
    home.partner_file("insurance-01").touch()
    run("apply", home)
    card = written(metabase, tmp_path / "files")
    done = validated(tmp_path / "files")
    assert done.returncode == 0, done.stdout + done.stderr
    for fault, plant in FAULTS.items():
        whole = card.read_text(encoding="utf-8")
        wrong = json.loads(whole)
        plant(wrong)
        card.write_text(json.dumps(wrong), encoding="utf-8")
        done = validated(tmp_path / "files")
        assert done.returncode != 0, fault
        assert card.name in done.stdout + done.stderr, fault
        card.write_text(whole, encoding="utf-8")
