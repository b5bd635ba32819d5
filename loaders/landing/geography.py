"""Country and network of an address, where the sender is silent, from databases of MaxMind's kind.

Both databases are optional, and so is the library that reads them. Nothing here stops landing: what
cannot be looked up stays null, and a database that cannot be read is a note for the person at the
command line.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import pyarrow as pa
import pyarrow.compute as pc

from loaders.home import Home

Record = dict[str, Any]
Find = Callable[[str], Any]

_COUNTRY = ("geo",)
_NETWORK = ("as_country_code", "as_description", "as_number")


@dataclass(frozen=True, slots=True)
class Databases:
    """Files to look addresses up in; one that is not there is not used."""

    country: Path
    asn: Path

    @classmethod
    def of(cls, home: Home) -> Databases:
        """The databases of a home."""
        return cls(home.path / "geo" / "country.mmdb", home.path / "geo" / "asn.mmdb")


class Geography:
    """Fills what a sender left out. Use as a context; `notes` says what could not be used."""

    def __init__(self, databases: Databases) -> None:
        self.notes: list[str] = []
        self._readers: list[Any] = []
        self._country = self._opened(databases.country)
        self._asn = self._opened(databases.asn)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for reader in self._readers:
            reader.close()

    def fill(self, rows: pa.Table) -> pa.Table:
        """Rows with country and network of `ip` where they have none.

        `geo` is filled on its own. The columns of the network are filled together, only where the
        sender gave none of them: half of his and half of ours might be two networks.
        """
        if self._country is None and self._asn is None:
            return rows
        if not {"ip", *_COUNTRY, *_NETWORK} <= set(rows.column_names):
            return rows
        has_no_country = _absent(rows, _COUNTRY)
        has_no_network = _absent(rows, _NETWORK)
        wanted = pc.and_(pc.is_valid(rows["ip"]), pc.or_(has_no_country, has_no_network))
        addresses = pc.unique(rows["ip"].filter(wanted))
        if not len(addresses):
            return rows
        found = [self._found(address) for address in addresses.to_pylist()]
        position = pc.index_in(rows["ip"], value_set=addresses)
        for column in (*_COUNTRY, *_NETWORK):
            is_absent = has_no_country if column in _COUNTRY else has_no_network
            values = pa.array([record.get(column) for record in found], rows[column].type)
            filled = pc.if_else(is_absent, values.take(position), rows[column])
            rows = rows.set_column(rows.column_names.index(column), column, filled)
        return rows

    def _found(self, address: str) -> dict[str, str | None]:
        country, network = _get(self._country, address), _get(self._asn, address)
        number = network.get("autonomous_system_number")
        return {
            "geo": _code(country, "country"),
            "as_country_code": _code(country, "registered_country"),
            "as_description": _text(network.get("autonomous_system_organization")),
            "as_number": None if number is None else str(number),
        }

    def _opened(self, path: Path) -> Find | None:
        if not path.exists():
            return None
        try:
            import maxminddb  # noqa: PLC0415 - an extra, needed only where there is a database
        except ImportError:
            self.notes.append(f'{path.name} is not used: pip install "assay-lakehouse[geo]"')
            return None
        try:
            reader = maxminddb.open_database(path)
        except (maxminddb.InvalidDatabaseError, OSError, ValueError) as error:
            self.notes.append(f"{path.name} is not used: {type(error).__name__}. Fetch it again.")
            return None
        self._readers.append(reader)
        find: Find = reader.get
        return find


def _absent(rows: pa.Table, columns: tuple[str, ...]) -> pa.ChunkedArray:
    """Whether a row has a text in none of the columns."""
    is_absent = None
    for column in columns:
        is_empty = pc.equal(pc.utf8_length(pc.fill_null(rows[column], "")), 0)
        is_absent = is_empty if is_absent is None else pc.and_(is_absent, is_empty)
    return is_absent


def _get(find: Find | None, address: str) -> Record:
    """What a database says of an address; nothing, where it fails for whatever reason."""
    if find is None:
        return {}
    try:
        record = find(address)
    except Exception:  # a damaged database can raise anything, and must not stop landing
        return {}
    return record if isinstance(record, dict) else {}


def _code(record: Record, key: str) -> str | None:
    place = record.get(key)
    return _text(place.get("iso_code")) if isinstance(place, dict) else None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
