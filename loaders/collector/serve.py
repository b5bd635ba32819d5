"""One collector: HTTP in front, the spool's writer behind it, and a process that lands."""

from __future__ import annotations

import contextlib
import gc
import resource
import signal
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvicorn

from loaders import bronze
from loaders.collector import log
from loaders.collector.app import Collector
from loaders.collector.connections import Connection
from loaders.collector.drain import Drain
from loaders.collector.landing_process import LandingProcess
from loaders.collector.metrics import Metrics
from loaders.collector.spool import Spool
from loaders.collector.tidy import Tidier
from loaders.collector.tokens import Tokens
from loaders.durable import explained
from loaders.errors import AssayError
from loaders.home import Home
from loaders.leases import BusyError, leased

# Seconds for which a thread that judges may hold the interpreter while a request waits for it.
_SWITCH_SECONDS = 0.0005
_GRACE_SECONDS = 10  # for requests that are being answered when the process is told to end


@dataclass(frozen=True, slots=True)
class Options:
    """How to listen, and how much may wait. `tls` are uvicorn's own options, `ssl_…`.

    Of the spool that is bytes; of small files of bronze, how many until they are merged, 0 for
    never.
    """

    host: str
    port: int
    max_bytes: int
    small_files: int
    tls: dict[str, Any]


def spool_root(home: Home) -> Path:
    """Where the spools of a home are."""
    return home.path / "spool"


def serve(home: Home, options: Options) -> int:
    """Collect until SIGTERM or SIGINT. Returns how many records wait to land.

    Raises AssayError where another collector has the home.
    """
    root = spool_root(home)
    metrics, tokens = Metrics(), Tokens(home)
    tokens.look()
    sys.setswitchinterval(_SWITCH_SECONDS)
    log.take_over()
    # A connection of TLS is a descriptor before it counts as one of HTTP.
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    for told in (signal.SIGTERM, signal.SIGINT):
        signal.signal(told, _end)
    with contextlib.ExitStack() as stack:
        stack.callback(log.say, "ended")
        try:
            stack.enter_context(leased(root, wait=False))
        except BusyError:
            raise AssayError(
                f"Another collector works in the home at {home.path}. End it first."
            ) from None
        with explained(root, "collect again."):
            root.mkdir(mode=0o700, exist_ok=True)
        with contextlib.suppress(AssayError):  # the drain tries again
            bronze.recover(home)
        spool = stack.enter_context(Spool(root, options.max_bytes))
        collector = Collector(spool, tokens, home.residency, metrics)
        landing = stack.enter_context(LandingProcess(home))
        stack.enter_context(Drain(home, spool, metrics, landing))
        if options.small_files and not home.bigquery:
            stack.enter_context(Tidier(home, options.small_files))
        log.say(
            "started",
            spool=spool.spool_id,
            problem=spool.problem,
            backlog_records=spool.records,
            damaged_spools=len(spool.damaged_folders),
        )
        config = uvicorn.Config(
            collector.app(),
            host=options.host,
            port=options.port,
            log_config=None,
            access_log=False,
            server_header=False,
            http=Connection,
            timeout_graceful_shutdown=_GRACE_SECONDS,
            ws="none",
            **options.tls,
        )
        gc.freeze()  # what is here by now stays, so no collection need look at it: 40 ms each time
        stack.callback(gc.unfreeze)  # or libraries complain at the end, in lines of their own
        try:
            uvicorn.Server(config).run()
        except SystemExit as ended:
            if ended.code:
                raise AssayError(
                    f"Cannot listen on {options.host}, port {options.port}. Name another."
                ) from None
    return spool.records


def _end(*_: object) -> None:
    """Told to end before or after HTTP, which has handlers of its own: close what is open."""
    raise SystemExit(0)
