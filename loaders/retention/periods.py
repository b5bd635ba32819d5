"""For how long each table is kept: said once, where the table is declared.

Of bronze it is `retention_days` of the contract, of silver and gold `partition_expiration_days` of
the model's yml, which is what BigQuery goes by too. Tables that BigQuery keeps whole say it in
`meta.expires`. Days count from the one that a partition is of: one that is `days` old is gone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from typing import Any

import yaml

from loaders.contracts import contract_of, load_contracts
from loaders.errors import AssayError
from loaders.gold.marts import models_of
from loaders.project import PROJECT

_VARIABLE = re.compile(r"{{\s*var\('(\w+)'\)\s*}}")
_LAYERS = ("silver", "gold")
_LETTERS = "dead_letters"

# Other periods than the declared ones, in days by table.
Others = Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Period:
    """How long a table of silver or gold is kept, by the column that says of which day a row is."""

    layer: str
    table: str
    column: str
    days: int

    def edge(self, today: date) -> date:
        """The last day that is gone."""
        return today - timedelta(days=self.days)


def bronze_days(table: str, others: Others) -> int:
    """Days for which a bronze table is kept."""
    return others.get(table, contract_of(table).retention_days)


def letter_days(table: str, others: Others) -> int:
    """Days for which dead letters of a table are kept: no longer than its rows."""
    return min(bronze_days(table, others), bronze_days(_LETTERS, others))


@cache
def declared() -> list[Period]:
    """The periods of silver and gold."""
    return [
        found
        for layer in _LAYERS
        for name, model in models_of(layer).items()
        for found in _of_model(layer, name, model.get("config", {}))
    ]


def periods(others: Others) -> list[Period]:
    """The same with other periods for some tables."""
    return [Period(p.layer, p.table, p.column, others.get(p.table, p.days)) for p in declared()]


def refuse_unknown(others: Others) -> None:
    """Raise AssayError where a table has no period to be another one."""
    known = {*load_contracts(), *(period.table for period in declared())}
    for table in others:
        if table not in known:
            raise AssayError(f"No table {table} has a period. See docs/retention.md.")


def silver_days() -> int:
    """The period of silver where a model says no other."""
    return _variables()["silver_days"]


def _of_model(layer: str, name: str, config: dict[str, Any]) -> Iterator[Period]:
    own = config.get("meta", {}).get("expires")
    if own:
        yield Period(layer, name, own["field"], _days(own["days"]))
    elif "partition_expiration_days" in config:
        field = config["partition_by"]["field"]
        yield Period(layer, name, field, _days(config["partition_expiration_days"]))


def _days(said: int | str) -> int:
    found = _VARIABLE.fullmatch(str(said))
    return _variables()[found.group(1)] if found else int(said)


@cache
def _variables() -> dict[str, int]:
    document = yaml.safe_load((PROJECT / "dbt_project.yml").read_text(encoding="utf-8"))
    return {name: value for name, value in document["vars"].items() if isinstance(value, int)}
