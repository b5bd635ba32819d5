"""Which requests are attempts, and what is reported of them. Nothing here reaches the application.

An extractor is a function of the application: it is given the `Exchange` and returns the fields
that only the application knows (`email`, `phone`, `fp`, `country`, `currency`, `aff_data`,
`error_code`, `status`, ...), each of which goes before what the middleware found, or None where
the request was no attempt.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from loaders.client.emitter import Emitter
from loaders.client.exchange import Exchange, networks

Extractor = Callable[[Exchange], Mapping[str, Any] | None]
_METHOD = re.compile(r"([A-Z]+) +(.*)")
_LOG = logging.getLogger("assay.client")


class Recorder:
    """Reports the attempts of one application.

    `actions` has the action of a path, such as `{"POST /api/signup": "signup"}`: a method or
    none (then POST), and a path in which `*` stands for one segment. The first that fits counts.
    `trusted_proxies` are addresses or networks whose X-Forwarded-For and `edge_headers` (field:
    header) are believed. `max_bytes` bounds what is kept of a body, and of a reply. Raises
    ValueError for a network that is none.
    """

    def __init__(
        self,
        emitter: Emitter,
        actions: Mapping[str, str],
        extract: Extractor | None = None,
        *,
        trusted_proxies: Sequence[str] = (),
        edge_headers: Mapping[str, str] | None = None,
        max_bytes: int = 16 << 10,
    ) -> None:
        self._emitter, self._extract = emitter, extract
        self._patterns = [(_pattern(path), action) for path, action in actions.items()]
        self._proxies = networks(trusted_proxies)
        self._edge_headers = dict({"geo": "CF-IPCountry"} if edge_headers is None else edge_headers)
        self._max_bytes = max_bytes

    def action_of(self, method: str, path: str) -> str | None:
        """What such a request tries, or None where it is no attempt."""
        asked = f"{method} {path}"
        for pattern, action in self._patterns:
            if pattern.fullmatch(asked):
                return action
        return None

    def keep(self, kept: bytearray, piece: object) -> None:
        """Remember a piece of a body, up to the bound. What is no bytes is left alone."""
        room = self._max_bytes - len(kept)
        if room > 0 and isinstance(piece, (bytes, bytearray, memoryview)):
            kept += memoryview(piece)[:room]

    def report(self, action: str, exchange: Exchange) -> None:
        """Report an attempt, without what the extractor knows where that fails. Never raises."""
        try:
            event = exchange.attempt(action, self._proxies, self._edge_headers)
            known: Mapping[str, Any] | None = {}
            if self._extract is not None:
                try:
                    known = self._extract(exchange)
                except Exception as error:
                    _LOG.warning("the extractor failed: %s", type(error).__name__)
            if known is not None:
                event.update({k: v for k, v in known.items() if v is not None})
                self._emitter.emit(event)
        except Exception as error:
            _LOG.warning("an attempt was not recorded: %s", type(error).__name__)
            self._emitter.miss("adapter_failure")


def _pattern(path: str) -> re.Pattern[str]:
    given = _METHOD.fullmatch(path)
    method, path = given.groups() if given else ("POST", path)
    segments = "[^/]+".join(re.escape(part) for part in path.split("*"))
    return re.compile(f"{method} {segments}/?")
