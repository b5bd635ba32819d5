"""A collector in the test's own process, by whose clock it may go: HTTP without a network."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
from spooling import drain, root_of

from loaders.collector.app import Collector
from loaders.collector.metrics import Metrics
from loaders.collector.spool import Spool
from loaders.collector.tokens import Tokens
from loaders.home import Home


class Sender:
    """Sends to it, and lets it land."""

    def __init__(self, home: Home, spool: Spool, runner: asyncio.Runner) -> None:
        tokens = Tokens(home)
        tokens.look()
        app = Collector(spool, tokens, home.residency, Metrics()).app()
        self._home, self._spool, self._runner = home, spool, runner
        self._http = httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url="http://collector"
        )

    def post(self, events: list[dict[str, Any]], bearer: str, key: str = "") -> httpx.Response:
        headers = {"authorization": f"Bearer {bearer}", "content-type": "application/json"}
        headers |= {"x-idempotency-key": key} if key else {}
        body = json.dumps(events)
        sending = self._http.post("/v1/attempts:batch", content=body, headers=headers)
        return self._runner.run(sending)

    def drain(self) -> None:
        """Land all there is."""
        drain(self._home, self._spool)


@contextmanager
def collecting_here(home: Home) -> Iterator[Sender]:
    """A collector that lands when it is told to."""
    with Spool(root_of(home)) as spool, asyncio.Runner() as runner:
        yield Sender(home, spool, runner)
