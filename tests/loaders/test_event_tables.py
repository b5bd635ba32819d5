"""The list of event tables that dbt reads first is that of the contracts, or nothing is built."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import jinja2
import pytest
from conftest import PROJECT

from loaders.contracts import load_contracts

MACRO = PROJECT / "macros" / "operations" / "event_tables.sql"


class ReturnedError(Exception):
    """How a macro of dbt gives back something that is no text."""


class CompilerError(Exception):
    """What stops dbt."""


def event_tables(contracts: dict[str, dict[str, Any]]) -> dict[str, dict[str, str]]:
    """What the macro gives back where the contracts say this."""

    def give_back(value: Any) -> Any:
        if not isinstance(value, dict):
            return value  # of a macro within the macro
        raise ReturnedError(value)

    def refuse(message: str) -> None:
        raise CompilerError(message)

    known = {
        "execute": True,
        "is_built": lambda domain: True,
        "graph": SimpleNamespace(sources={n: source(n) for n in contracts}),
        "contract_of": lambda name: contracts[name],
        "exceptions": SimpleNamespace(raise_compiler_error=refuse),
        "return": give_back,
    }
    jinja = jinja2.Environment(extensions=["jinja2.ext.do"], autoescape=False)
    macro: Any = jinja.from_string(MACRO.read_text(encoding="utf-8"), known).module
    with pytest.raises(ReturnedError) as returned:
        macro.event_tables()
    found: dict[str, dict[str, str]] = returned.value.args[0]
    return found


def source(name: str) -> SimpleNamespace:
    return SimpleNamespace(source_name="bronze", name=name)


def said() -> dict[str, dict[str, Any]]:
    """What the contracts say of silver, by table."""
    return {
        name: {"silver": c.silver, "duplicates": c.duplicates} if c.silver else {}
        for name, c in load_contracts().items()
    }


def test_the_list_is_that_of_the_contracts() -> None:
    assert event_tables(said()) == {table: models for table, models in said().items() if models}


@pytest.mark.parametrize(
    "change",
    [
        {"visits": {"silver": "stg_sites__visits", "duplicates": "int_sites__duplicates"}},
        {"attempts": {}},
        {"attempts": {"silver": "stg_other__attempts", "duplicates": "int_access__duplicates"}},
        {"attempts": {"silver": "stg_access__attempts", "duplicates": "int_other__duplicates"}},
    ],
)
def test_a_table_that_is_not_in_it_stops_the_build(change: dict[str, dict[str, Any]]) -> None:
    """A new table, one without silver, and other models than the list has."""
    (table,) = change
    with pytest.raises(CompilerError, match=f"contract of {table} says"):
        event_tables(said() | change)
