"""Build a home batch by batch in one warm dbt process: what test_increments.py runs.

    python increments.py SOURCE_HOME TARGET_HOME SEED

Copies the bronze batches of SOURCE_HOME into TARGET_HOME in an order shuffled by SEED, and builds
after each. The batches keep their times, so most become visible behind later ones. After every
other build, what is there is merged.
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
OTHERS = [f"path:models/{of}" for of in ("silver/engagement", "gold/engagement", "gold_restricted")]
IS_LONG = bool(os.environ.get("ASSAY_LONG"))


def main(source: Path, target: Path, seed: int) -> None:
    """Copy and build, batch by batch. Raises SystemExit when a build fails."""
    batches = batches_of(source)
    random.Random(seed).shuffle(batches)
    dbt = dbtRunner()
    seeded = dbt.invoke(["--quiet", "seed"])
    merged = 0
    for number, batch in enumerate(batches):
        arrive(source, target, batch)
        less = ("--exclude", *OTHERS) if number and not IS_LONG else ()
        run = dbt.invoke(["--quiet", "run", *less])
        if not (seeded.success and run.success):
            raise SystemExit(f"build failed after {batch}")
        if number % 2:
            (result,) = compact(Home(target), ["attempts"], older_than=0, wait=0)
            if result.is_postponed or result.problem:
                raise SystemExit(f"not merged after {batch}: {result}")
            merged += result.files_before - result.files_after
    print(f"{len(batches)} increments, {merged} files fewer")


def batches_of(home: Path) -> list[str]:
    """The ids of the batches of attempts."""
    files = (home / "bronze/attempts").rglob("*.parquet")
    return sorted(file.stem for file in files if len(file.stem) == 32)


def arrive(source: Path, target: Path, batch: str) -> None:
    """Copy a batch with all that landing left of it, its line of the ledger last."""
    for table in ("attempts", "dead_letters", "landing_ledger"):
        for file in (source / "bronze" / table).rglob(f"{batch}.parquet"):
            place = target / file.relative_to(source)
            place.parent.mkdir(parents=True, exist_ok=True)
            aside = target / "arriving"
            shutil.copy(file, aside)
            aside.rename(place)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
