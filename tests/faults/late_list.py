"""Planted fault: a switch that is written down only after it was done. Arguments as of steps.py."""

import json
import sys
from pathlib import Path

import steps

from loaders.compaction import compact
from loaders.compaction.switch import MERGED, Source
from loaders.durable import durable_rename, fsync_folder
from loaders.leases import locked


def late(bronze: Path, prepared: Path, sources: list[Source], target: Path, wait: float) -> None:
    """Rename and remove first, under the lock, and make the list then."""
    with locked(bronze, alone=True, wait=wait):
        durable_rename(prepared / MERGED, target)
        for source in sources:
            source.path.unlink()
        fsync_folder(target.parent)
        (prepared / "list.json").write_text(json.dumps({"target": target.name, "replaced": []}))


if __name__ == "__main__":
    compact.switch = late
    what, of = sys.argv[3:]
    steps.main(sys.argv[1], Path(sys.argv[2]), lambda home: steps.WORK[what](home, of))
