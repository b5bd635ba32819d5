"""Batches to BigQuery by stream: each row once, and readable as soon as it is acknowledged.

Rows are appended to a stream of the Storage Write API at offsets that were written down before
(`Book`). What is sent again is known there by its offset, so a repeat after a lost answer or a
crash changes nothing. Where a stream is not as the book has it, or takes no more, it is ended: then
the number of its rows is final, and the rest of the file goes to a new one.
"""

from __future__ import annotations

import shutil
import time
from itertools import count
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from google.api_core import exceptions
from google.api_core.retry import exponential_sleep_generator
from google.cloud.bigquery_storage_v1.types import AppendRowsRequest

from loaders.durable import fsync_folder
from loaders.home import Home
from loaders.leases import leased
from loaders.sinks.bigquery.appends import edges, request
from loaders.sinks.bigquery.book import Book, Place
from loaders.sinks.bigquery.errors import answered, has_ended, is_passing
from loaders.sinks.bigquery.service import retry_seconds
from loaders.sinks.bigquery.tables import Tables
from loaders.sinks.bigquery.writer import Writer, writer_of
from loaders.sinks.protocol import STREAMED, files_in_order

_NAME = ".streams"
_MOST_STREAMS = 3  # that a file may go through, before something else must be wrong
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 10.0  # seconds


class _Ended(Exception):
    """A stream takes these rows no more. `is_strange`: it has others where nothing was sent yet."""

    def __init__(self, error: exceptions.GoogleAPICallError, is_strange: bool = False) -> None:
        super().__init__(error)
        self.error, self.is_strange = error, is_strange


class Streams:
    """The streams of a home."""

    def __init__(self, tables: Tables, home: Home) -> None:
        self._tables, self._home = tables, home

    def publish(self, committed: Path) -> None:
        """Append the files of a committed batch, the ledger's last, and clear its folder.

        One process of a home does so at a time. What fails stays, and goes on with the next call.
        """
        with leased(self._home.bronze / _NAME):
            book = Book(self._home.bronze / f"{_NAME}.json")
            self._tidy(book, committed.parent)
            for file in files_in_order(committed):
                _File(self._tables, book, file).append()
                file.unlink()
            shutil.rmtree(committed, ignore_errors=True)

    def _tidy(self, book: Book, waiting: Path) -> None:
        """Forget the places of batches that are gone, once it is sure that they stay so."""
        gone = [b for b in book.batches if not (waiting / f"{b}{STREAMED}").exists()]
        if gone:
            fsync_folder(waiting)
        for batch_id in gone:
            book.forget(batch_id)


class _File:
    """A file `<table>/ingest_date=…/<batch>.parquet` on its way into the streams of its table."""

    def __init__(self, tables: Tables, book: Book, file: Path) -> None:
        self._tables, self._book = tables, book
        self._table, self._batch_id = file.parts[-3], file.stem
        self._day = file.parts[-2].partition("=")[2]
        self._call = tables.call(self._table, self._batch_id)
        self._rows: pa.Table = pq.ParquetFile(file).read()

    def append(self) -> None:
        """Append all rows that are not there yet. Raises AssayError."""
        with answered(self._call):
            writer = writer_of(self._call)
            try:
                self._append(writer)
            except exceptions.GoogleAPICallError as error:
                if not is_passing(error):  # if the table is the reason, that is what to say
                    self._tables.fitting(self._table, self._call)
                raise

    def _append(self, writer: Writer) -> None:
        place = self._book.place(self._batch_id, self._table)
        is_new = place is None
        if place is None:
            place = self._placed(writer, edges(self._rows))
        for number in count(1):
            try:
                self._send(writer, place, is_new)
                return
            except _Ended as ended:
                if number == _MOST_STREAMS:
                    raise ended.error from None
                left = self._left(writer, place, ended.is_strange)
            if len(left) == 1:
                return
            place, is_new = self._placed(writer, left), True

    def _placed(self, writer: Writer, cuts: tuple[int, ...]) -> Place:
        """A new place, durable before it is used."""
        if not self._book.has_stream(self._table):
            there = self._tables.fitting(self._table, self._call)
            stream = writer.begin(there.project, there.dataset_id, there.table_id)
            self._book.begin(self._table, stream)
        place = self._book.put(self._batch_id, self._table, cuts)
        self._book.write()
        return place

    def _send(self, writer: Writer, place: Place, is_new: bool) -> None:
        """Send what belongs in a place, until all of it is acknowledged. Raises _Ended."""
        done, is_again, is_rewound = 0, not is_new, False
        requests = len(place.edges) - 1
        pauses = exponential_sleep_generator(_FIRST_PAUSE, _LONGEST_PAUSE)
        give_up = time.monotonic() + retry_seconds()
        while done < requests:
            try:
                rest = (self._request(place, n) for n in range(done, requests))
                for _ in writer.append(place.stream, rest):
                    done += 1
                    is_rewound, give_up = False, time.monotonic() + retry_seconds()
            except exceptions.AlreadyExists as error:
                if not is_again:
                    raise _Ended(error, is_strange=True) from None
                done += 1
            except exceptions.OutOfRange as error:
                if is_rewound:  # it lacks what it had acknowledged, or what others were given
                    raise _Ended(error) from None
                is_rewound = True
            except exceptions.GoogleAPICallError as error:
                if has_ended(error):
                    raise _Ended(error) from None
                if not is_passing(error) or time.monotonic() > give_up:
                    raise
                time.sleep(next(pauses))
            is_again = True

    def _request(self, place: Place, number: int) -> AppendRowsRequest:
        first, last = place.edges[number : number + 2]
        rows = self._rows.slice(first, last - first)
        return request(place.stream, place.first + first - place.edges[0], rows)

    def _left(self, writer: Writer, place: Place, is_strange: bool) -> tuple[int, ...]:
        """The edges of what is not there, for sure and for ever, when a stream took no more."""
        end = writer.end(place.stream)
        self._book.give_up(self._table, place.stream)
        self._book.write()
        if end is None or is_strange:
            self._tables.fitting(self._table, self._call)  # a stream goes with its table
            there = self._count()
        else:
            there = place.edges[0] + min(max(end - place.first, 0), place.rows)
        return (there, *(edge for edge in place.edges if edge > there))

    def _count(self) -> int:
        """How many of the rows the table has: rows are appended in the order of the file."""
        sql = (
            f"select count(*) as row_total from bronze.{self._table} "
            f"where batch_id = $batch_id and ingest_date = date '{self._day}'"
        )
        found = self._tables.service.query(sql, self._call.outcome, batch_id=self._batch_id)
        return int(found["row_total"][0].as_py())
