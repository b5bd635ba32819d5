"""Events judged by the registry as they land: SQL for their shapes, and what is said of these."""

from __future__ import annotations

import json
from typing import Any

import duckdb
import pyarrow as pa

from loaders.contracts import Contract
from loaders.contracts.events import Registry
from loaders.contracts.fitting import Fitting, Shape
from loaders.home import quote
from loaders.landing.shapes import Shapes

_LONG = "[0-9]{19}"  # as many digits as the greatest number of 64 bits


class Payloads:
    """A table's payload column, in a statement that has `<column>_sent` of every column."""

    def __init__(self, contract: Contract, registry: Registry) -> None:
        self._column = contract.payload or ""
        self._fitting = Fitting(contract, registry)

    def normal(self) -> str:
        """SQL for the payload as it lands: the same text however it was sent, null if no object."""
        sent = f"{self._column}_sent"
        text = f"case when starts_with(ltrim({sent}, ' \t\r\n'), '{{') then {sent} end"
        return f"try(cast(json({text}) as varchar))"

    def steps(self, relation: str) -> str:
        """Further CTEs, the last of which is `judged`."""
        sent, normal = f"{self._column}_sent", self._column
        document = f"case when trim(coalesce({sent}, '')) = '' then '{{}}' else {normal} end"
        return f""", shaped as (
            select *, cast(json_array(
                event_type_sent,
                schema_version_sent,
                try(json_structure({document})),
                len(json_keys({normal})),
                {self._beyond()},
                case when regexp_matches({normal}, {quote(_LONG)}) then {self._too_long()} end
            ) as varchar) as event_shape
            from {relation}
        ), judged as (
            select
                shaped.*,
                event_shapes.forbidden,
                event_shapes.misfit,
                case when event_shapes.event_shape is null then shaped.event_shape end as new_event
            from shaped
            left join event_shapes using (event_shape)
        )"""

    def shapes(self, connection: duckdb.DuckDBPyConnection) -> Shapes:
        """The table `event_shapes`: why events of a shape may not land, or do not fit."""
        schema = pa.schema(
            {"event_shape": pa.string(), "forbidden": pa.string(), "misfit": pa.string()}
        )
        return Shapes(connection, "event_shapes", schema, self._judged)

    def _judged(self, text: str) -> dict[str, Any]:
        event_type, version, kinds, names, beyond, too_long = json.loads(text)
        kinds = {} if isinstance(kinds, str) else kinds  # an empty object has no structure
        shape = Shape(
            event_type=event_type,
            version=version,
            kinds=kinds,
            beyond=frozenset(self._fitting.limits[place] for place in beyond),
            too_long=tuple(too_long or ()),
            has_repeats=len(kinds or ()) < (names or 0),
        )
        return {
            "forbidden": self._fitting.forbidden(kinds or ()),
            "misfit": self._fitting.misfit(shape),
        }

    def _beyond(self) -> str:
        """SQL for the list of limits that are not kept, by their place in the list of all."""
        broken = []
        for place, limits in enumerate(self._fitting.limits):
            text = f"json_extract_string({self._column}, {quote(f'$.{limits.name}')})"
            conditions = []
            if limits.accepted:
                conditions.append(f"{text} not in ({', '.join(map(quote, limits.accepted))})")
            if limits.min is not None:
                conditions.append(f"try_cast({text} as double) < {limits.min}")
            if limits.max is not None:
                conditions.append(f"try_cast({text} as double) > {limits.max}")
            broken.append(f"case when {' or '.join(conditions)} then {place} end")
        return f"list_filter([{', '.join(broken)}]::integer[], lambda x: x is not null)"

    def _too_long(self) -> str:
        """SQL for the list of whole numbers that 64 bits do not hold, by name."""
        names = self._fitting.whole_numbers
        paths = ", ".join(quote(f"$.{name}") for name in names)
        texts = f"json_extract_string({self._column}, [{paths}])"
        is_so = "x[2] is not null and try_cast(x[2] as bigint) is null"
        listed = ", ".join(map(quote, names))
        found = f"list_filter(list_zip([{listed}], {texts}), lambda x: {is_so})"
        return f"list_transform({found}, lambda x: x[1])"
