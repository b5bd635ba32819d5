"""HTTP connections that nobody keeps for himself: what uvicorn waits for without an end has one."""

from __future__ import annotations

import asyncio
import json
import secrets
from typing import Any, cast

from uvicorn.protocols.http.h11_impl import H11Protocol

MOST = 1_000  # connections at once
_HEADER_SECONDS = 10  # from the last reply, or the first byte, until a request begins
_REQUEST_SECONDS = 120  # from there until the reply is read


class Connection(H11Protocol):
    """Ends where a client lets us wait, and refuses in the words of the interface.

    h11 because it bounds the headers of a request, which uvicorn's other parser does not.
    """

    _patience: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """As uvicorn has it, unless there are too many."""
        super().connection_made(cast(asyncio.Transport, transport))  # of TCP or TLS: it writes too
        if len(self.connections) > MOST:
            self.transport.write(
                _refusal(503, "EVENT_CAPTURE_FAILED", "There are too many connections.")
            )
            self.transport.close()
        self._be_patient()

    def connection_lost(self, exc: Exception | None) -> None:
        """As uvicorn has it."""
        super().connection_lost(exc)
        if self._patience:
            self._patience.cancel()

    def on_response_complete(self) -> None:
        """As uvicorn has it; then the next request is waited for."""
        super().on_response_complete()
        self._be_patient()

    def send_400_response(self, msg: str) -> None:
        """Tell that this is no HTTP."""
        self.transport.write(_refusal(400, "payload_malformed", "This is no request of HTTP."))
        self.transport.close()

    def _be_patient(self) -> None:
        if self._patience:
            self._patience.cancel()
        self._patience = self.loop.call_later(_HEADER_SECONDS, self._look)

    def _look(self) -> None:
        if self.cycle is None or self.cycle.response_complete:
            self.transport.abort()
        else:
            self._patience = self.loop.call_later(_REQUEST_SECONDS, self.transport.abort)


def _refusal(status: int, code: str, message: str) -> bytes:
    said: dict[str, Any] = {"code": code, "message": message, "trace_id": secrets.token_hex(16)}
    content = json.dumps(said).encode()
    wait = "Retry-After: 1\r\n" if status == 503 else ""
    head = (
        f"HTTP/1.1 {status} \r\nContent-Type: application/json\r\n{wait}"
        f"Content-Length: {len(content)}\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + content
