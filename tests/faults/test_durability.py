"""What a power failure leaves: every byte and every name is on disk before it is relied upon.

The model is the strict one: a file's bytes are safe after fsync of the file, its name after fsync
of its folder, whatever the file system of the day does beyond that.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from small_batches import files_in, land_small

from loaders.compaction.compact import compact
from loaders.home import Home, init_home
from loaders.landing.batches import land_file

Call = tuple[str, Path, Path | None]


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[Call]:
    """Every fsync, rename, mkdir and unlink from now on, in order."""
    heard: list[Call] = []
    fsync, replace, mkdir, unlink = os.fsync, os.replace, os.mkdir, os.unlink

    def watched_fsync(descriptor: int) -> None:
        fsync(descriptor)
        heard.append(("fsync", Path(f"/proc/self/fd/{descriptor}").readlink(), None))

    def watched_replace(source: Path, target: Path) -> None:
        replace(source, target)
        heard.append(("rename", Path(source), Path(target)))

    def watched_mkdir(path: Path, mode: int = 0o777) -> None:
        mkdir(path, mode)
        heard.append(("mkdir", Path(path), None))

    def watched_unlink(path: Path, *, dir_fd: int | None = None) -> None:
        unlink(path, dir_fd=dir_fd)
        if dir_fd is None:  # else a folder goes, in which nobody looks
            heard.append(("unlink", Path(path), None))

    monkeypatch.setattr(os, "unlink", watched_unlink)
    monkeypatch.setattr(os, "fsync", watched_fsync)
    monkeypatch.setattr(os, "replace", watched_replace)
    monkeypatch.setattr(os, "mkdir", watched_mkdir)
    return heard


def is_durable(calls: list[Call], folder: Path) -> bool:
    """Whether the name of a folder was made and not forgotten: its parent was fsynced after."""
    made = calls.index(("mkdir", folder, None))
    return ("fsync", folder.parent, None) in calls[made:]


@pytest.fixture
def landed(home: Home, tmp_path: Path, calls: list[Call]) -> Home:
    """A home in which a file with a good and a broken line was just landed."""
    attempt = {"timestamp": "2026-05-01T10:00:00Z", "action": "login", "status": "success"}
    sent = tmp_path / "sent"
    sent.write_text(json.dumps(attempt | {"event_id": "e"}) + "\n{broken\n")
    calls.clear()
    land_file(home, "attempts", sent)
    return home


def test_a_batch_is_on_disk_before_it_is_committed(landed: Home, calls: list[Call]):
    """Each of its files and folders was fsynced before the one rename that commits them."""
    commit = next(i for i, call in enumerate(calls) if call[0] == "rename")
    staged = calls[commit][1]
    safe = [path for kind, path, _ in calls[:commit] if kind == "fsync"]
    made = [path for kind, path, _ in calls[:commit] if kind == "mkdir" and staged in path.parents]
    assert sorted(path.suffix for path in safe if path.suffix) == [".parquet"] * 3
    assert {staged, *made} == {path for path in safe if not path.suffix}
    for number, (kind, path, _) in enumerate(calls[:commit]):
        if kind == "fsync" and path.suffix:  # the name after the bytes
            assert ("fsync", path.parent, None) in calls[number:commit]


def test_every_rename_is_on_disk_before_the_next(landed: Home, calls: list[Call]):
    """So the ledger cannot be there without the rows that it counts."""
    renames = [number for number, call in enumerate(calls) if call[0] == "rename"]
    assert len(renames) == 4
    for number, following in zip(renames, [*renames[1:], len(calls)], strict=True):
        target = calls[number][2]
        assert target is not None
        assert ("fsync", target.parent, None) in calls[number:following]
    tables = [calls[number][2].parts[-3] for number in renames[1:]]
    assert tables == ["attempts", "dead_letters", "landing_ledger"]


def test_new_partitions_are_on_disk(landed: Home, calls: list[Call]):
    """The folder of the day is as safe as the file in it."""
    days = [p for kind, p, _ in calls if kind == "mkdir" and p.parent.parent == landed.bronze]
    days = [path for path in days if not path.parent.name.startswith(".")]
    assert len(days) == 3
    assert all(is_durable(calls, day) for day in days)


def test_a_merge_is_on_disk_before_a_file_goes(home: Home, calls: list[Call]):
    """The list of what goes and the merged file are; at the end, so is that all is done."""
    for _ in range(3):
        land_small(home)
    sources = files_in(home)
    calls.clear()
    compact(home, ["attempts"], older_than=0)
    (merged,) = files_in(home)
    renames = [number for number, call in enumerate(calls) if call[0] == "rename"]
    (begun, aside, switch), (moved, _, place), (ended, _, _) = (
        (number, calls[number][1], calls[number][2] or Path()) for number in renames
    )
    safe = [path for kind, path, _ in calls[:begun] if kind == "fsync"]
    assert safe == [aside / "merged.parquet", aside / "list.json", aside]
    assert ("fsync", home.bronze, None) in calls[begun:moved]
    assert place == merged
    gone = [number for number, call in enumerate(calls) if call[0] == "unlink"]
    assert sorted(calls[number][1] for number in gone[:-2]) == sources
    assert ("fsync", merged.parent, None) in calls[moved : gone[0]]
    assert calls[gone[-2]][1] == switch / "list.json"
    assert ("fsync", merged.parent, None) in calls[gone[-3] : gone[-2]]
    assert calls[ended + 1] == ("fsync", home.bronze, None)


def test_a_new_home_is_on_disk(tmp_path: Path, calls: list[Call]):
    """Else all that lands in it, however safely, may hang from a folder that is gone."""
    home = init_home(tmp_path / "home")[0]
    made = [path for kind, path, _ in calls if kind == "mkdir" and home.path in path.parents]
    assert len(made) > 8
    assert [path for path in made if not is_durable(calls, path)] == []
