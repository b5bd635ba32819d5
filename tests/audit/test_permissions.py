"""Permissions: default deny, whoever acts, and that every refusal is in the log."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner
from test_chain import rows_of

from loaders import audit
from loaders.audit import rights
from loaders.audit.rights import refuse_denied
from loaders.cli import main
from loaders.erasure.erase import erase
from loaders.explanation import explain
from loaders.gold.combine import combine
from loaders.home import Home, init_home
from loaders.identity import system_user
from loaders.permissions import FILE, PERMISSIONS, PermissionDenied, read_permissions
from loaders.project import PROJECT
from loaders.releases import release
from loaders.releases.quarters import quarter_of
from loaders.reports import declared
from loaders.reports.asked import asked
from loaders.reports.export import export
from loaders.retention.retain import retain
from loaders.vault import keys
from loaders.vault.rotation import rotate


def permit(home: Home, **may: list[str]) -> None:
    (home.path / FILE).write_text(yaml.safe_dump({"may": may}), encoding="utf-8")


def export_report(home: Home) -> None:
    wanted = declared.report_of("mistyped_mail_domains")
    export(home, wanted, asked(wanted, None, None, None, (), None))


def land_in(table: str) -> Callable[[Home], object]:
    return lambda home: rights.refuse_landing(home, table)


# What does each, and the action under which its refusal is in the log.
GUARDED: dict[str, tuple[Callable[[Home], object], str]] = {
    "create_experiments": (land_in("experiments"), "experiment_create"),
    "erase": (lambda home: erase(home, None, wait=1), "erasure"),
    "expire": (lambda home: retain(home, wait=1), "retention"),
    "explain": (lambda home: explain(home, "decision-1"), "query"),
    "export": (export_report, "export"),
    "release": (lambda home: release(home, quarter_of("2026-Q1")), "release"),
    "rotate": (lambda home: rotate(home, wait=1), "key_rotation"),
    "run_replays": (land_in("replay_scenarios"), "replay_run"),
}


def test_everything_that_may_be_permitted_is_guarded_and_documented():
    assert list(GUARDED) == list(PERMISSIONS)
    assert {name: action for name, (_, action) in GUARDED.items()} == PERMISSIONS
    page = (PROJECT / "docs" / "permissions.md").read_text(encoding="utf-8")
    assert all(f"| `{name}` |" in page for name in PERMISSIONS)


@pytest.mark.parametrize("permission", GUARDED)
def test_who_is_not_named_may_not(home: Home, permission: str):
    """Where all else is permitted: it is refused before anything happens, and the log has it."""
    others = {name: [system_user()] for name in PERMISSIONS if name != permission}
    permit(home, **others, **{permission: ["somebody-else"]})
    act, action = GUARDED[permission]
    with pytest.raises(PermissionDenied, match=r"^PERMISSION_DENIED: .* may not "):
        act(home)
    (row,) = rows_of(home)
    said = {"refused": "PERMISSION_DENIED", "permission": permission}
    assert (row["action"], json.loads(row["result_summary"])) == (action, said)
    assert len(keys(home.vault)) == 1
    assert audit.verify(home).problems == []


@pytest.mark.parametrize("permission", PERMISSIONS)
def test_what_is_not_in_the_file_nobody_may(home: Home, permission: str):
    """A key that is missing, one without names, a file without anything."""
    for may in ({}, {permission: []}, {permission: None}):
        (home.path / FILE).write_text(yaml.safe_dump({"may": may}), encoding="utf-8")
        with pytest.raises(PermissionDenied):
            refuse_denied(home, permission)


def test_who_made_a_home_may_do_everything(home: Home):
    """So that a newcomer is not asked for a file; nobody else may, and init changes nothing."""
    assert read_permissions(home.path).may == {
        permission: frozenset({system_user()}) for permission in PERMISSIONS
    }
    for permission in PERMISSIONS:
        refuse_denied(home, permission)
    assert rows_of(home) == []
    permit(home, erase=["ada"])
    init_home(home.path)
    assert read_permissions(home.path).may == {"erase": frozenset({"ada"})}


def test_who_is_acted_for_can_only_lose_rights(home: Home, monkeypatch: pytest.MonkeyPatch):
    """ASSAY_USER can be set by anybody, so it gives nothing that the account has not."""
    monkeypatch.setenv("ASSAY_USER", "ada")
    permit(home, erase=[system_user()])
    with pytest.raises(PermissionDenied, match="ada may not erase"):
        refuse_denied(home, "erase")
    permit(home, erase=["ada"])
    with pytest.raises(PermissionDenied, match=f"{system_user()} may not erase"):
        refuse_denied(home, "erase")
    permit(home, erase=["ada", system_user()])
    refuse_denied(home, "erase")


UNCLEAR = {
    "no YAML": "may: [",
    "a list": "- erase",
    "another part": "may: {}\nmust: {}",
    "a permission that there is not": "may: {eraze: [ada]}",
    "no list": "may: {erase: ada}",
    "a number": "may: {erase: [1000]}",
    "an empty name": "may: {erase: ['']}",
    "accounts that are a list": "may: {}\non_bigquery: [ada]",
    "an account that is none": "may: {}\non_bigquery: {ada: }",
}


@pytest.mark.parametrize("fault", UNCLEAR)
def test_a_file_that_is_unclear_permits_nothing(home: Home, fault: str):
    (home.path / FILE).write_text(UNCLEAR[fault], encoding="utf-8")
    with pytest.raises(PermissionDenied, match=f"{FILE}: .* so nobody may"):
        refuse_denied(home, "erase")
    assert len(rows_of(home)) == 1


def test_without_a_file_nobody_may_until_init_makes_one(home: Home):
    (home.path / FILE).unlink()
    done = CliRunner().invoke(main, ["vault", "rotate", "--home", str(home.path)])
    assert done.exit_code == 1
    assert done.stderr.startswith("PERMISSION_DENIED: ")
    assert done.stderr.endswith("make one that names you: assay init\n")
    init_home(home.path)
    refuse_denied(home, "rotate")


def test_the_file_may_be_a_link_to_one_that_is_reviewed(home: Home, tmp_path: Path):
    """Also where that is not there yet: init makes no other in its place."""
    reviewed = tmp_path / "reviewed.yml"
    (home.path / FILE).unlink()
    (home.path / FILE).symlink_to(reviewed)
    init_home(home.path)
    assert not reviewed.exists()
    with pytest.raises(PermissionDenied, match="is not there"):
        refuse_denied(home, "erase")
    reviewed.write_text(yaml.safe_dump({"may": {"erase": [system_user()]}}), encoding="utf-8")
    refuse_denied(home, "erase")


def test_what_is_combined_is_exported_from_every_home(home: Home, tmp_path: Path):
    other = init_home(tmp_path / "us", "us")[0]
    permit(other, export=[])
    with pytest.raises(PermissionDenied):
        combine([home, other], tmp_path / "out.duckdb")
    assert [row["action"] for row in rows_of(other)] == ["export"]


@pytest.mark.parametrize(
    ("table", "action"), [("experiments", "experiment_create"), ("replay_scenarios", "replay_run")]
)
def test_what_is_set_up_by_landing_it_is_in_the_log(home: Home, table: str, action: str):
    """And a table of events is for whoever can write the home."""
    rights.refuse_landing(home, "attempts")
    assert rows_of(home) == []
    rights.refuse_landing(home, table)
    (row,) = rows_of(home)
    assert (row["action"], json.loads(row["query_params"])) == (action, {"table": table})


def test_the_code_is_that_of_the_seed():
    codes = (PROJECT / "seeds" / "error_codes.csv").read_text(encoding="utf-8")
    assert "\nPERMISSION_DENIED,api," in codes
