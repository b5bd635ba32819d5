"""One decision is explained from silver, by pseudonyms, and the audit log says to whom."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from conftest import Demo

from loaders import audit
from loaders.cli import main
from loaders.demo.attributions import EVEN_RULE, HELD_RULE, LOWERED, PASSED, QUIET_RULE, RAISED
from loaders.home import Home


@pytest.fixture(scope="module")
def home(demo: Demo, tmp_path_factory: pytest.TempPathFactory) -> Home:
    folder = tmp_path_factory.mktemp("explain") / "home"
    shutil.copytree(demo.home.path, folder, ignore=shutil.ignore_patterns("target", "logs"))
    return Home(folder)


def explained(home: Home, decision: str, *options: str) -> Result:
    return CliRunner().invoke(main, ["explain", decision, "--home", str(home.path), *options])


def sent(home: Home) -> list[dict[str, object]]:
    """Decisions of the demo, those of its first file, in order."""
    text = (home.path / "demo" / "fraud_decisions-01.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def test_an_explained_decision(home: Home) -> None:
    """By what the demo planted; nothing that names anybody is given out."""
    for number, decision in list(enumerate(sent(home)))[5:8]:
        result = explained(home, str(decision["id"]), "--json")
        assert result.exit_code == 0, result.output
        told = json.loads(result.output)
        is_held = decision["decision"] != "approved"
        raised = RAISED if is_held else PASSED
        assert told["method"] == "shap"
        found = {row["feature"]: row["contribution"] for row in told["contributions"]}
        assert found == {"amount_percentile": raised, "is_known": LOWERED}
        assert told["top_drivers"] == told["contributions"]
        importance = [row["importance"] for row in told["contributions"]]
        assert importance == sorted(importance, reverse=True)
        rules = {row["rule_id"]: row for row in told["rule_trace"]}
        place = number - number // 4 - 1  # one of four is not explained
        assert {name: row["has_fired"] for name, row in rules.items()} == {
            HELD_RULE: is_held,
            EVEN_RULE: place % 2 == 0,
            QUIET_RULE: False,
        }
        assert rules[HELD_RULE]["conditions_matched"] == (2 if is_held else 0)
        assert told["decision"]["final_score"] == decision["final_score"]
        assert told["decision"]["model_version"] == decision["model_version"]
        for name in ("id", "transaction_id", "customer_id", "device_id"):
            assert f'"{decision[name]}"' not in result.output


def test_one_that_explains_itself(home: Home) -> None:
    result = explained(home, str(sent(home)[4]["id"]))
    assert result.exit_code == 0, result.output
    assert "Top drivers, by other:\n  velocity  " in result.output
    assert "No rules are known." in result.output


def test_one_that_nobody_knows(home: Home) -> None:
    """It is refused without being repeated, and was asked for all the same."""
    result = explained(home, "decision-x'; drop table y")
    assert result.exit_code == 1
    assert "No such decision in silver" in result.output
    assert "drop" not in result.output


def test_who_asked_is_in_the_log(home: Home) -> None:
    """By a pseudonym of its own: neither the id nor what silver calls the transaction."""
    decision = str(sent(home)[9]["id"])
    told = json.loads(explained(home, decision, "--json").output)
    last = max(audit.read_entries(home), key=lambda entry: entry["sequence"])
    assert last["action"] == "query"
    assert json.loads(last["result_summary"])["recordCount"] == 1
    params = json.loads(last["query_params"])
    assert params["decision"].startswith("v1:")
    assert decision not in str(last)
    assert told["decision"]["transaction_key"] not in str(last)
    assert audit.verify(home).problems == []


def test_a_home_that_is_not_built(tmp_path: Path) -> None:
    folder = str(tmp_path / "home")
    CliRunner().invoke(main, ["init", "--home", folder])
    result = CliRunner().invoke(main, ["explain", "x", "--home", folder])
    assert (result.exit_code, "dbt build" in result.output) == (1, True)
