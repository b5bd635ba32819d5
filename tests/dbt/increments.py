"""Homes that get the bronze of another one batch by batch: what tests of increments build."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

from conftest import run_dbt

from loaders.compaction.compact import compact
from loaders.home import Home


def build_shuffled(
    source: Home, target: Home, seed: int, table: str = "attempts", *selection: str
) -> int:
    """Copy the batches of a table in an order shuffled by a seed, and build after each.

    With a batch comes what lies beside it in other tables. The batches keep their times, so most
    become visible behind later ones. After every other build, what is there is merged. Built is the
    selection, else all. Returns how many files there are fewer after merging.
    """
    batches = batches_of(source.path, table)
    random.Random(seed).shuffle(batches)
    run_dbt(target, "seed")
    merged = 0
    for number, batch in enumerate(batches):
        arrive(source.path, target.path, batch)
        run_dbt(target, "run", *(("--select", *selection) if selection else ()))
        if number % 2:
            (result,) = compact(target, [table], older_than=0, wait=0)
            assert not (result.is_postponed or result.problem), f"not merged after {batch}"
            merged += result.files_before - result.files_after
    return merged


def batches_of(home: Path, *tables: str) -> list[str]:
    """The ids of the batches of some tables, of attempts where none is named."""
    folders = [home / "bronze" / table for table in tables or ("attempts",)]
    files = [file for folder in folders for file in folder.rglob("*.parquet")]
    return sorted(file.stem for file in files if len(file.stem) == 32)


def arrive(source: Path, target: Path, batch: str) -> None:
    """Copy a batch with all that landing left of it, its line of the ledger last."""
    files = (source / "bronze").rglob(f"{batch}.parquet")
    for file in sorted(files, key=lambda file: "landing_ledger" in file.parts):
        place = target / file.relative_to(source)
        place.parent.mkdir(parents=True, exist_ok=True)
        aside = target / "arriving"
        shutil.copy(file, aside)
        aside.rename(place)
