"""Refresh a home as told on standard input, with dbt kept warm: one JSON list of words per line.

    python warm_refreshes.py HOME

`["refresh", CADENCE]` refreshes, `["build", MODEL]` builds a model with its tests, both without
unit tests. Answers each with a JSON object: what failed, in words, or null.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from loaders.errors import AssayError
from loaders.gold.dbt_run import run_dbt
from loaders.gold.refresh import refresh
from loaders.gold.warm import WarmDbt
from loaders.home import Home

if __name__ == "__main__":
    home = Home(Path(sys.argv[1]).resolve())
    dbt = WarmDbt(home)
    for line in sys.stdin:
        what, name = json.loads(line)
        failed = None
        try:
            if what == "refresh":
                refresh(home, name, dbt=dbt)
            else:
                leave_out = ["--exclude-resource-type", "unit_test"]
                run_dbt(home, ["build", "--select", name, *leave_out], dbt)
        except AssayError as error:
            failed = str(error)
        print(json.dumps({"failed": failed}), flush=True)
