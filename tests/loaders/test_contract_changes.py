"""Which changes of a contract are compatible, and that none is made in passing."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from test_contracts import VISITS, Table, in_column, in_column_meta, in_meta, written

from loaders.contracts import CONTRACTS, Column, load_contracts, lock
from loaders.contracts.changes import RULES, Change
from loaders.contracts.lock import LOCK, accept, described, pending
from loaders.errors import AssayError

NEW = {
    "name": "colour",
    "description": "The colour.",
    "data_type": "string",
    "config": {"meta": {"privacy": "safe", "since": "0.2.0"}},
}


def with_column(**meta: object) -> Callable[[Table], None]:
    def change(table: Table) -> None:
        column = copy.deepcopy(NEW)
        column["config"]["meta"].update(meta)
        column["config"]["meta"] = {k: v for k, v in column["config"]["meta"].items() if v}
        table["columns"].append(column)

    return change


def nothing(table: Table) -> None:
    """The contract as it is."""


def words(*accepted: str) -> Callable[[Table], None]:
    return both(in_column(data_type="string"), in_column_meta(accepted=list(accepted)))


def both(*changes: Callable[[Table], None]) -> Callable[[Table], None]:
    def change(table: Table) -> None:
        for each in changes:
            each(table)

    return change


def text_of(**meta: object) -> Callable[[Table], None]:
    return both(in_column(data_type="string"), in_column_meta(**meta))


def changed(
    folder: Path, before: Callable[[Table], None], after: Callable[[Table], None]
) -> list[Change]:
    """What is pending when a contract is changed after it was accepted."""
    old, new = copy.deepcopy(VISITS), copy.deepcopy(VISITS)
    before(old)
    after(new)
    accept(written(folder, old))
    load_contracts.cache_clear()
    return pending(written(folder, new))


COMPATIBLE = {
    "a new optional column": (nothing, with_column()),
    "a wider type": (nothing, in_column(data_type="float64")),
    "longer retention": (nothing, in_meta(retention_days=91)),
    "another clustering": (nothing, in_meta(cluster_by=["pages"])),
    "a stricter privacy class": (nothing, in_column_meta(privacy="sensitive")),
    "no longer required": (in_column_meta(required=True), nothing),
    "retired": (nothing, in_column_meta(retired=True)),
    "retired and no longer required": (in_column_meta(required=True), in_column_meta(retired=True)),
    "a lower least value": (in_column_meta(min=1), in_column_meta(min=0)),
    "a higher greatest value": (in_column_meta(max=1), in_column_meta(max=2)),
    "no bounds": (in_column_meta(min=1, max=2), nothing),
    "one more word": (words("a"), words("a", "b")),
    "any word": (words("a"), text_of()),
    "a word for unknown ones": (
        text_of(vocabulary="status"),
        text_of(vocabulary="status", unknown="unclassified"),
    ),
    "one more alias": (in_column_meta(aliases=["p"]), in_column_meta(aliases=["p", "q"])),
    "objects as well": (text_of(), text_of(structured=True)),
    "an overflow": (in_meta(overflow=None), nothing),
}


@pytest.mark.parametrize("change", COMPATIBLE)
def test_a_compatible_change_is_accepted(tmp_path: Path, change: str):
    """It is listed until it is accepted, and then no more."""
    changes = changed(tmp_path, *COMPATIBLE[change])
    assert changes
    assert [str(c) for c in changes if not c.is_compatible] == []
    assert accept(tmp_path) == changes
    assert pending(tmp_path) == []


INCOMPATIBLE = {
    "a column is gone": (nothing, lambda t: t["columns"].pop(3), "visits.pages", "retired: true"),
    "a column is renamed": (nothing, in_column(name="views"), "visits.pages", "alias"),
    "a narrower type": (
        in_column(data_type="float64"),
        nothing,
        "visits.pages",
        "add a column of the new type",
    ),
    "another type": (nothing, text_of(), "visits.pages", "add a column of the new type"),
    "required": (nothing, in_column_meta(required=True), "visits.pages", "keep it optional"),
    "required_unless": (
        nothing,
        in_column_meta(required_unless=["reader", "x"]),
        "visits.pages",
        "keep it optional",
    ),
    "a new column that is required": (
        nothing,
        with_column(required=True),
        "visits.colour",
        "make it optional",
    ),
    "a new column of no version": (nothing, with_column(since=None), "visits.colour", "say since"),
    "a new column that is forbidden": (
        nothing,
        with_column(privacy="never"),
        "visits.colour",
        "make a new table",
    ),
    "a column that is now forbidden": (
        nothing,
        in_column_meta(privacy="never"),
        "visits.pages",
        "retire the column",
    ),
    "a weaker privacy class": (
        in_column_meta(privacy="sensitive"),
        nothing,
        "visits.pages",
        "keep the class",
    ),
    "another key": (nothing, in_meta(key="reader"), "visits", "visits_v2"),
    "another event time": (
        lambda t: t["columns"][3].update(data_type="timestamp"),
        both(lambda t: t["columns"][3].update(data_type="timestamp"), in_meta(event_time="pages")),
        "visits",
        "visits_v2",
    ),
    "another subject": (nothing, in_meta(subject=["visit_id"]), "visits", "visits_v2"),
    "no overflow": (nothing, in_meta(overflow=None), "visits", "visits_v2"),
    "shorter retention": (nothing, in_meta(retention_days=89), "visits", "keep it"),
    "a word less": (words("a", "b"), words("a"), "visits.pages", "keep what was accepted"),
    "words where any was accepted": (text_of(), words("a"), "visits.pages", "keep what was"),
    "a vocabulary where any was accepted": (
        text_of(),
        text_of(vocabulary="status"),
        "visits.pages",
        "add a column with the other vocabulary",
    ),
    "no word for unknown ones": (
        text_of(vocabulary="status", unknown="unclassified"),
        text_of(vocabulary="status"),
        "visits.pages",
        "keep the word",
    ),
    "a higher least value": (in_column_meta(min=0), in_column_meta(min=1), "visits.pages", "range"),
    "a least value": (nothing, in_column_meta(min=0), "visits.pages", "keep the wider range"),
    "a lower greatest value": (
        in_column_meta(max=2),
        in_column_meta(max=1),
        "visits.pages",
        "range",
    ),
    "an alias less": (in_column_meta(aliases=["p"]), nothing, "visits.pages", "keep the alias"),
    "no objects any more": (text_of(structured=True), text_of(), "visits.pages", "keep it"),
    "set by another": (nothing, in_column_meta(set_by="landing"), "visits.pages", "add a column"),
    "back from retirement": (in_column_meta(retired=True), nothing, "visits.pages", "add a column"),
    "another order": (
        nothing,
        lambda t: t["columns"].insert(1, t["columns"].pop(3)),
        "visits",
        "keep the order",
    ),
}


@pytest.mark.parametrize("change", INCOMPATIBLE)
def test_an_incompatible_change_is_refused(tmp_path: Path, change: str):
    """In one line that says what to do instead; and nothing is recorded."""
    before, after, place, instead = INCOMPATIBLE[change]
    changes = changed(tmp_path, before, after)
    (refused,) = [c for c in changes if not c.is_compatible and c.place == place][:1]
    assert instead in str(refused)
    assert "\n" not in str(refused)
    recorded = (tmp_path / LOCK).read_bytes()
    with pytest.raises(AssayError, match=r"^Not accepted: \d incompatible changes\."):
        accept(tmp_path)
    assert (tmp_path / LOCK).read_bytes() == recorded


def test_every_key_of_a_column_has_a_rule():
    """A new key of the contracts cannot be changed without a decision about it."""
    keys = set(Column.__dataclass_fields__) - {"name", "description"}
    assert set(RULES) == keys


def test_a_table_may_come_but_not_go(tmp_path: Path):
    accept(written(tmp_path, VISITS))
    second = copy.deepcopy(VISITS) | {"name": "visits_v2"}
    load_contracts.cache_clear()
    written(tmp_path, second, name="visits_v2.yml")
    assert [str(change) for change in accept(tmp_path)] == ["visits_v2: a new table. compatible"]
    (tmp_path / "visits.yml").unlink()
    load_contracts.cache_clear()
    (change,) = pending(tmp_path)
    assert str(change).startswith("visits: the table is gone. INCOMPATIBLE: keep its contract")


def test_a_word_of_a_vocabulary_may_come_but_not_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Nor a spelling, nor the word that it means."""
    table = copy.deepcopy(VISITS)
    text_of(vocabulary="status")(table)
    for after, is_fine in (
        ({"ok": "success"}, True),
        ({"ok": "success", "fine": "success"}, True),
        ({"fine": "success"}, False),
        ({"ok": "error"}, False),
        ({}, False),
    ):
        monkeypatch.setattr(lock, "read_vocabulary", lambda: {"status": {"ok": "success"}})
        (tmp_path / LOCK).unlink(missing_ok=True)
        accept(written(tmp_path, table))
        monkeypatch.setattr(lock, "read_vocabulary", lambda now=after: {"status": now})
        assert all(change.is_compatible for change in pending(tmp_path)) == is_fine, after


def test_a_lock_that_is_no_json_is_named(tmp_path: Path):
    (written(tmp_path, VISITS) / LOCK).write_text("<<<<<<< ours", encoding="utf-8")
    with pytest.raises(AssayError, match=r"^contracts\.lock\.json is not valid JSON\."):
        pending(tmp_path)


def test_the_contracts_of_the_project_are_accepted():
    """CI's gate. If this fails, run `assay contracts check`, which says what to do."""
    assert [str(change) for change in pending()] == []
    accepted = json.loads((CONTRACTS / LOCK).read_text(encoding="utf-8"))
    assert accepted == described()
