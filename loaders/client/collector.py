"""One request to the collector over a connection that stays open, and what its answer means."""

from __future__ import annotations

import gzip
import http.client
import json
import re
import secrets
import ssl
import time
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from enum import Enum
from typing import Any
from urllib.parse import quote, urlsplit

from loaders.client.batch import Batch

LATER = {408, 409, 425, 429}  # of 400 to 499: those that may end otherwise next time
_CODE = re.compile(r"[a-z][a-z0-9_]{0,63}")
_TOKEN = re.compile(r"[!-~]+")
_MAX_ANSWER_BYTES = 4 << 20
_BROKEN = (OSError, http.client.HTTPException)


class Verdict(Enum):
    """What became of a batch."""

    TAKEN = "taken"
    LATER = "later"
    TOO_LARGE = "too large"
    NEVER = "never"


@dataclass(frozen=True, slots=True)
class Answer:
    """What the collector made of a batch. `code` says why where it was not taken.

    `refused` counts the events of a taken batch that the collector keeps as dead letters, by code;
    `retry_after` is in seconds.
    """

    verdict: Verdict
    code: str = ""
    retry_after: float = 0
    duplicates: int = 0
    refused: dict[str, int] = field(default_factory=dict)


class Collector:
    """The collector at `url`. For one thread. Raises ValueError for a url or token of no use."""

    def __init__(
        self,
        url: str,
        token: str,
        table: str,
        timeout: float,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("the collector's url must be like https://host:port")
        if not _TOKEN.fullmatch(token):
            raise ValueError("the collector's token must be printable ASCII without spaces")
        self._host, self._port, self._timeout = parts.hostname, parts.port, timeout
        self._tls: ssl.SSLContext | None = None
        if parts.scheme == "https":
            self._tls = ssl_context or ssl.create_default_context()
        elif ssl_context is not None:
            raise ValueError("an ssl_context needs a url of https")
        self._path = f"{parts.path.rstrip('/')}/v1/{quote(table, safe='')}:batch"
        self._headers = {
            "Authorization": f"Bearer {token}",
            "Content-Type": "application/x-ndjson",
            "Content-Encoding": "gzip",
        }
        self._connection: http.client.HTTPConnection | None = None

    def send(self, batch: Batch) -> Answer:
        """Send a batch once. Never raises for what the network or the collector do."""
        body = gzip.compress(batch.body, compresslevel=1, mtime=0)
        headers = self._headers | {
            "X-Idempotency-Key": batch.key,
            "traceparent": f"00-{batch.key}-{secrets.token_hex(8)}-01",
        }
        was_open = self._connection is not None
        try:
            status, answered, content = self._request(body, headers)
        except _BROKEN as error:
            self.close()
            if not was_open or isinstance(error, TimeoutError):
                return Answer(Verdict.LATER, _network_code(error))
            try:  # a connection that was kept open may have ended meanwhile
                status, answered, content = self._request(body, headers)
            except _BROKEN as again:
                self.close()
                return Answer(Verdict.LATER, _network_code(again))
        return judge(status, content, answered, batch.events)

    def close(self) -> None:
        """End the connection; the next request opens another."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _request(self, body: bytes, headers: dict[str, str]) -> tuple[int, str | None, bytes]:
        if self._connection is None:
            self._connection = self._connect()
        self._connection.request("POST", self._path, body, headers)
        response = self._connection.getresponse()
        content = response.read(_MAX_ANSWER_BYTES)
        if not response.isclosed():  # longer than any answer is
            self.close()
        return response.status, response.getheader("Retry-After"), content

    def _connect(self) -> http.client.HTTPConnection:
        if self._tls is None:
            return http.client.HTTPConnection(self._host, self._port, timeout=self._timeout)
        return http.client.HTTPSConnection(
            self._host, self._port, timeout=self._timeout, context=self._tls
        )


def judge(status: int, content: bytes, retry_after: str | None, events: int) -> Answer:
    """What an answer means for a batch of so many events.

    Only a 202 that accounts for every event is a yes: a proxy's page of welcome is none.
    """
    try:
        said = json.loads(content)
    except (ValueError, RecursionError):
        said = None
    said = said if isinstance(said, dict) else {}
    if status == 202:
        taken = _taken(said, events)
        return taken or Answer(Verdict.LATER, "garbled")
    code = said.get("code")
    known = code if isinstance(code, str) and _CODE.fullmatch(code) else f"http_{status}"
    if status == 413:
        return Answer(Verdict.TOO_LARGE, known)
    if 400 <= status < 500 and status not in LATER:
        return Answer(Verdict.NEVER, known)
    return Answer(Verdict.LATER, known, retry_after=_seconds(retry_after))


def _taken(said: dict[str, Any], events: int) -> Answer | None:
    accepted, duplicates, rejected = (
        said.get(name) for name in ("accepted", "duplicates", "rejected")
    )
    if type(accepted) is not int or type(duplicates) is not int or not isinstance(rejected, list):
        return None
    if min(accepted, duplicates) < 0 or accepted + duplicates + len(rejected) != events:
        return None
    refused: dict[str, int] = {}
    for one in rejected:
        code = one.get("code") if isinstance(one, dict) else None
        known = code if isinstance(code, str) and _CODE.fullmatch(code) else "unknown"
        refused[known] = refused.get(known, 0) + 1
    return Answer(Verdict.TAKEN, duplicates=duplicates, refused=refused)


def _seconds(retry_after: str | None) -> float:
    """Retry-After, which is a number of seconds or a date. 0 where it is neither."""
    text = (retry_after or "").strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - time.time())
    except (ValueError, OverflowError):
        return 0.0


def _network_code(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "timeout"
    return "garbled" if isinstance(error, http.client.HTTPException) else "unreachable"
