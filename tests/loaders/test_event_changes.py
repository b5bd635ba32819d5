"""Which changes of the event registry need which version, and which are never made."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path

import pytest
from test_contracts import VISITS
from test_contracts import written as contracts_written
from test_event_registry import READ, Table, in_field, in_field_meta, in_meta, renamed, written

from loaders.contracts import load_contracts
from loaders.contracts.changes import Change
from loaders.contracts.events import load_events
from loaders.contracts.lock import LOCK, accept, pending
from loaders.errors import AssayError

Edit = Callable[[Table], None]


def nothing(table: Table) -> None:
    """The type as it is."""


def both(*edits: Edit) -> Edit:
    def edit(table: Table) -> None:
        for each in edits:
            each(table)

    return edit


def with_field(**meta: object) -> Edit:
    field = {
        "name": "chapter",
        "description": "The chapter.",
        "data_type": "string",
        "config": {"meta": {"privacy": "safe", **meta}},
    }
    return lambda table: table["columns"].append(copy.deepcopy(field))


def version(number: str) -> Edit:
    return in_meta(version=number)


def without_field(place: int) -> Edit:
    return lambda table: table["columns"].pop(place)


def changed(folder: Path, before: list[Table], after: list[Table]) -> list[Change]:
    """What is pending when the registry is changed after it was accepted."""
    folder.mkdir(exist_ok=True)
    contracts_written(folder, VISITS)
    written(folder / "events", *before)
    accept(folder)
    load_events.cache_clear()
    load_contracts.cache_clear()
    written(folder / "events", *after)
    return pending(folder)


def edited(folder: Path, before: Edit, after: Edit) -> list[Change]:
    old, new = copy.deepcopy(READ), copy.deepcopy(READ)
    before(old)
    after(new)
    return changed(folder, [old], [new])


# What was accepted has version 1.2.0.
ADDITIVE: dict[str, tuple[Edit, Edit]] = {
    "a new optional field": (nothing, with_field()),
    "no longer required": (nothing, in_field_meta(0, required=None)),
    "one more word": (nothing, in_field_meta(2, accepted=["red", "blue", "green"])),
    "any word": (nothing, in_field_meta(2, accepted=None)),
    "a lower least value": (in_field_meta(min=1), in_field_meta(min=0)),
    "no bounds": (in_field_meta(min=0, max=5), nothing),
    "one more spelling": (nothing, in_field_meta(aliases=["duration"])),
    "a stricter privacy class": (nothing, in_field_meta(privacy="identifier")),
}
BREAKING: dict[str, tuple[Edit, Edit]] = {
    "a field is gone": (nothing, without_field(1)),
    "a field is renamed": (nothing, in_field(name="duration")),
    "required": (nothing, in_field_meta(required=True)),
    "a new field that is required": (nothing, with_field(required=True)),
    "a word less": (nothing, in_field_meta(2, accepted=["red"])),
    "words where any was taken": (in_field_meta(2, accepted=None), nothing),
    "a least value": (nothing, in_field_meta(min=0)),
    "a lower greatest value": (in_field_meta(max=5), in_field_meta(max=4)),
    "a spelling less": (in_field_meta(aliases=["duration"]), nothing),
}
NEVER: dict[str, tuple[Edit, Edit, str]] = {
    "another type": (nothing, in_field(data_type="string"), "give the field another name"),
    "a narrower type": (in_field(data_type="float64"), nothing, "give the field another name"),
    "a wider type": (nothing, in_field(data_type="float64"), "give the field another name"),
    "a weaker privacy class": (nothing, in_field_meta(privacy="safe"), "keep the class"),
}


def refused(changes: list[Change]) -> list[str]:
    return [str(change) for change in changes if not change.is_compatible]


@pytest.mark.parametrize("change", ADDITIVE)
def test_what_allows_more_needs_a_minor_version(tmp_path: Path, change: str):
    before, after = ADDITIVE[change]
    for number, is_fine in (("1.2.0", False), ("1.2.1", False), ("1.3.0", True), ("2.0.0", True)):
        changes = edited(tmp_path / number, before, both(after, version(number)))
        assert changes
        assert (refused(changes) == []) == is_fine, number
        assert is_fine or "raise the version to 1.3.0" in refused(changes)[0]


@pytest.mark.parametrize("change", BREAKING)
def test_what_a_sender_would_trip_over_needs_a_major_version(tmp_path: Path, change: str):
    before, after = BREAKING[change]
    for number, is_fine in (("1.2.0", False), ("1.3.0", False), ("2.0.0", True)):
        changes = edited(tmp_path / number, before, both(after, version(number)))
        assert (refused(changes) == []) == is_fine, number
        assert is_fine or "declare it in version 2.0.0, and keep 1.2.0 beside" in str(changes)


@pytest.mark.parametrize("change", NEVER)
def test_a_name_keeps_its_meaning_whatever_the_version(tmp_path: Path, change: str):
    before, after, instead = NEVER[change]
    for number in ("1.2.0", "1.3.0", "2.0.0"):
        changes = edited(tmp_path / number, before, both(after, version(number)))
        [told] = [line for line in refused(changes) if line.startswith("field seconds: ")]
        assert instead in told


def test_a_major_version_stands_beside_the_one_before(tmp_path: Path):
    second = copy.deepcopy(READ) | {"name": "page_read_v2"}
    both(without_field(1), version("2.0.0"))(second)
    changes = changed(tmp_path, [READ], [READ, second])
    assert list(map(str, changes)) == ["page.read 2: a new major version. compatible"]


def test_a_major_version_goes_when_another_follows_it(tmp_path: Path):
    second = copy.deepcopy(READ) | {"name": "page_read_v2"}
    version("2.0.0")(second)
    later = changed(tmp_path / "later", [READ, second], [second])
    assert list(map(str, later)) == ["page.read 1: the major version is no longer read. compatible"]
    newest = changed(tmp_path / "newest", [READ, second], [READ])
    assert refused(newest)[0].startswith("page.read 2: the major version is no longer read")


def test_a_type_may_come_but_not_go(tmp_path: Path):
    other = renamed("book.read")
    assert list(map(str, changed(tmp_path / "new", [READ], [READ, other]))) == [
        "book.read: a new type. compatible"
    ]
    [gone] = changed(tmp_path / "gone", [READ, other], [READ])
    assert str(gone).startswith("book.read: the type is gone. INCOMPATIBLE: keep it")


def test_versions_only_rise(tmp_path: Path):
    changes = edited(tmp_path, nothing, version("1.1.0"))
    assert refused(changes) == [
        "page.read: version is now 1.1.0. INCOMPATIBLE: versions only rise: it was 1.2.0"
    ]


def test_what_says_the_same_needs_nothing(tmp_path: Path):
    """Another description is no change, another domain is told and asks for no version."""
    described = in_field(description="In whole seconds.")
    assert edited(tmp_path / "described", nothing, described) == []
    moved = edited(tmp_path / "moved", nothing, in_meta(domain="library"))
    assert list(map(str, moved)) == ["page.read: domain is now library. compatible"]


def test_nothing_is_recorded_of_a_change_that_is_refused(tmp_path: Path):
    assert edited(tmp_path, nothing, without_field(0))
    recorded = (tmp_path / LOCK).read_bytes()
    with pytest.raises(AssayError, match=r"^Not accepted: 1 incompatible changes\."):
        accept(tmp_path)
    assert (tmp_path / LOCK).read_bytes() == recorded
    load_events.cache_clear()
    written(tmp_path / "events", READ)
    assert pending(tmp_path) == []
