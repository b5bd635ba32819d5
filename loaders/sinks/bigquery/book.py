"""What a home knows of its streams: how far each is given away, and to whom.

A batch's file gets its place, a stream and offsets of it, before the first row is sent. So whoever
sends these rows, now or after a crash, sends them to the same place, where BigQuery takes a row
once. The book is read and written by one process at a time, with the lease that `Streams` holds.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from loaders.durable import durable_file, durable_rename
from loaders.errors import AssayError


@dataclass(frozen=True, slots=True)
class Place:
    """Offsets of a stream, from `first` on, for the rows of a file from `edges[0]` to `edges[-1]`.

    A request has the rows from one edge to the next: they are in the stream all, or not at all.
    """

    stream: str
    first: int
    edges: tuple[int, ...]

    @property
    def rows(self) -> int:
        return self.edges[-1] - self.edges[0]


class Book:
    """The book of a home, as it is on disk. Changes count once they are written."""

    def __init__(self, path: Path) -> None:
        self._path = path
        kept = self._read() if path.exists() else {}
        # By table: the stream that is in use, and the next offset of it that nobody has.
        self._streams: dict[str, tuple[str, int]] = {
            table: (stream, offset) for table, (stream, offset) in kept.get("streams", {}).items()
        }
        # By batch and table.
        self._places: dict[str, dict[str, Place]] = {
            batch: {
                table: Place(place["stream"], place["first"], tuple(place["edges"]))
                for table, place in places.items()
            }
            for batch, places in kept.get("places", {}).items()
        }

    @property
    def batches(self) -> set[str]:
        """The batches that have places."""
        return set(self._places)

    def place(self, batch_id: str, table: str) -> Place | None:
        """The place of a batch's file of a table, if it has one."""
        return self._places.get(batch_id, {}).get(table)

    def has_stream(self, table: str) -> bool:
        """Whether a stream of the table is in use."""
        return table in self._streams

    def begin(self, table: str, stream: str) -> None:
        """Use a new stream for a table."""
        self._streams[table] = (stream, 0)

    def give_up(self, table: str, stream: str) -> None:
        """Use a stream no more, if it is in use."""
        if self._streams.get(table, ("", 0))[0] == stream:
            del self._streams[table]

    def put(self, batch_id: str, table: str, edges: tuple[int, ...]) -> Place:
        """Give rows of a batch's file the next offsets of the table's stream."""
        stream, offset = self._streams[table]
        place = Place(stream, offset, edges)
        self._streams[table] = (stream, offset + place.rows)
        self._places.setdefault(batch_id, {})[table] = place
        return place

    def forget(self, batch_id: str) -> None:
        """Drop a batch's places: it can never be sent again."""
        del self._places[batch_id]

    def write(self) -> None:
        """Make all of it durable."""
        places = {
            batch: {table: asdict(place) for table, place in by_table.items()}
            for batch, by_table in self._places.items()
        }
        aside = self._path.with_suffix(".new")
        with durable_file(aside) as file:
            file.write(json.dumps({"streams": self._streams, "places": places}).encode())
        durable_rename(aside, self._path)

    def _read(self) -> dict[str, Any]:
        try:
            return dict(json.loads(self._path.read_text(encoding="utf-8")))
        except ValueError:
            raise AssayError(
                f"{self._path} is damaged, and with it what is known of batches that were half "
                "sent. Fetch it from a backup; where no batch waits in bronze/.committed, remove it"
            ) from None
