"""Faults that are planted in the collector, by name: what its tests must see."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from typing import Any

from loaders.collector import store
from loaders.collector.replies import Reply
from loaders.collector.spool import Spool, Submission
from loaders.sinks import parquet


def plant(name: str) -> None:
    """Break the program of this process. No name plants nothing."""
    if name:
        FAULTS[name]()


def _answers_before_it_stores() -> None:
    submit = Spool.submit

    def early(spool: Spool, given: Submission) -> Future[Reply]:
        submit(spool, given)
        done: Future[Reply] = Future()
        done.set_result(given.reply)
        return done

    Spool.submit = early


def _commits_without_fsync(synchronous: str) -> None:
    connect = store.connect

    def careless(path: Path) -> Any:
        connection = connect(path)
        connection.execute(f"pragma synchronous = {synchronous}")
        return connection

    store.connect = careless


def _forgets_folders(module: Any, which: Callable[[Path], bool]) -> None:
    fsync_folder = module.fsync_folder
    module.fsync_folder = lambda folder: None if which(folder) else fsync_folder(folder)


def _lands_without_fsync_of_names() -> None:
    parquet.durable_rename = Path.replace
    _forgets_folders(parquet, lambda _: True)


FAULTS: dict[str, Callable[[], None]] = {
    "answers before it stores": _answers_before_it_stores,
    "commits with synchronous off": partial(_commits_without_fsync, "off"),
    "commits with synchronous normal": partial(_commits_without_fsync, "normal"),
    "forgets the folder of the spool": partial(
        _forgets_folders, store, lambda folder: not (folder / store.NAME).exists()
    ),
    "leaves an old log behind": partial(
        _forgets_folders, store, lambda folder: (folder / store.NAME).exists()
    ),
    "lands without fsync of names": _lands_without_fsync_of_names,
    "lands without fsync of a new day": partial(
        _forgets_folders, parquet, lambda folder: folder.parent.name == "bronze"
    ),
}
