"""Build a home batch by batch in one warm dbt process: what tests of increments run.

    python increments.py SOURCE_HOME TARGET_HOME SEED [TABLE SELECTION ...]

Copies the bronze batches of SOURCE_HOME into TARGET_HOME in an order shuffled by SEED, and builds
after each. The batches keep their times, so most become visible behind later ones. After every
other build, what is there is merged. The batches are of TABLE, attempts where none is named, and of
the tables beside it; built is the SELECTION, else all that a batch of attempts may change.
"""

import os
import random
import shutil
import sys
from pathlib import Path

from dbt.cli.main import dbtRunner

from loaders.compaction.compact import compact
from loaders.home import Home

# What no batch of attempts changes: built with the first of them, and again in a long run alone.
OTHERS = [
    f"path:models/{of}"
    for of in (
        "silver/claims",
        "silver/engagement",
        "silver/gaming",
        "gold/claims",
        "gold/engagement",
        "gold/gaming",
        "gold_restricted",
    )
]
IS_LONG = bool(os.environ.get("ASSAY_LONG"))


def main(source: Path, target: Path, seed: int, table: str = "attempts", *selection: str) -> None:
    """Copy and build, batch by batch. Raises SystemExit when a build fails."""
    batches = batches_of(source, table)
    random.Random(seed).shuffle(batches)
    dbt = dbtRunner()
    seeded = dbt.invoke(["--quiet", "seed"])
    merged = 0
    for number, batch in enumerate(batches):
        arrive(source, target, batch)
        less = ("--exclude", *OTHERS) if number and not IS_LONG else ()
        run = dbt.invoke(["--quiet", "run", *(("--select", *selection) if selection else less)])
        if not (seeded.success and run.success):
            raise SystemExit(f"build failed after {batch}")
        if number % 2:
            (result,) = compact(Home(target), [table], older_than=0, wait=0)
            if result.is_postponed or result.problem:
                raise SystemExit(f"not merged after {batch}: {result}")
            merged += result.files_before - result.files_after
    print(f"{len(batches)} increments, {merged} files fewer")


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


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), *sys.argv[4:])
