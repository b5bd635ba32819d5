"""Retain in copies of a home, each killed some steps later than the one before.

    python retain_steps.py FOLDER TODAY STRIDE

Prints one line per copy: its number, which is the step that it was killed before, and the step.
"""

import shutil
import sys
from datetime import date
from pathlib import Path

from steps import attempt

from loaders.contracts import load_contracts
from loaders.retention.periods import declared
from loaders.retention.retain import retain


def main(folder: Path, today: date, stride: int) -> None:
    """The parent does no work, so forking it is safe."""
    load_contracts()
    declared()
    stopped, number = "yes", 1 - stride
    while stopped:
        number += stride
        home = folder / str(number)
        shutil.copytree(folder / "template", home)
        stopped = attempt(number, "kill", home, lambda of: retain(of, today=today))
        print(number, stopped, flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), date.fromisoformat(sys.argv[2]), int(sys.argv[3]))
