"""Dbt in a process of its own, which tells on standard output what it does, and ends as dbt ends.

Begun by `python -m loaders.gold.dbt_child ARGUMENT ...`, or forked from one that knows the project.
"""

from __future__ import annotations

import gc
import json
import signal
import sys
from typing import Any, NoReturn

from dbt.adapters.duckdb.connections import DuckDBConnectionManager
from dbt.cli.main import dbtRunner
from dbt_common.events.functions import msg_to_dict

# A project of a thousand nodes is no garbage: by the usual 700 a tenth of a run is spent looking.
_GARBAGE_AFTER = 20_000


def run_and_exit(arguments: list[str], manifest: Any = None, is_telling: bool = True) -> NoReturn:
    """Run `dbt ARGUMENTS`, with a manifest if one was read, and end with the code of the command.

    One that tells prints a line of JSON for each event but those of debugging; any other prints
    what dbt does.
    """
    gc.set_threshold(_GARBAGE_AFTER, 10, 10)
    if is_telling:
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # it ends with who reads it
        arguments = ["--log-level", "none", *arguments]
    result = dbtRunner(manifest, [_tell] if is_telling else []).invoke(arguments)
    connections: Any = DuckDBConnectionManager
    connections.close_all_connections()  # no process that was forked does so at its exit
    sys.exit(2 if result.exception else int(not result.success))


def _tell(event: Any) -> None:
    if event.info.level != "debug":
        # In one piece: several threads tell.
        sys.stdout.write(json.dumps(msg_to_dict(event)) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    run_and_exit(sys.argv[1:])
