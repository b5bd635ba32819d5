"""A request and its reply as the middleware saw them go by, and the attempt that they make."""

from __future__ import annotations

import ipaddress
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qs

_TEXTUAL = ("json", "text/", "xml", "x-www-form-urlencoded")
_MAX_HEADER = 2048  # characters of a header that are kept

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(slots=True)
class Exchange:
    """What an extractor may read. Header names are in lower case.

    `body` is as much of the request as the application read, and `reply` as much of the reply as
    it sent, both up to a bound. `status` is 0 and `error` the exception where it raised one.
    """

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    peer: str
    body: bytearray = field(default_factory=bytearray)
    status: int = 0
    reply_headers: Mapping[str, str] = field(default_factory=dict)
    reply: bytearray = field(default_factory=bytearray)
    error: BaseException | None = None
    begun: int = field(default_factory=time.monotonic_ns)
    ended: int = 0

    def end(self) -> None:
        """The reply is there: what comes now is not waited for. Only the first call counts."""
        self.ended = self.ended or time.monotonic_ns()

    def json(self) -> Any:
        """The request's body as JSON, {} where it is none."""
        return _json(self.body)

    def reply_json(self) -> Any:
        """The reply as JSON, {} where it is none."""
        return _json(self.reply)

    def form(self) -> dict[str, str]:
        """The request's body as form fields, the last of each name."""
        text = self.body.decode("utf-8", "replace")
        try:
            return {name: values[-1] for name, values in parse_qs(text).items()}
        except ValueError:
            return {}

    def attempt(
        self, action: str, proxies: Sequence[Network], edge_headers: Mapping[str, str]
    ) -> dict[str, Any]:
        """The event: fields of bronze `attempts` that every request has."""
        self.end()
        header = self.headers.get
        # What an edge says can be said by anybody who is not behind it.
        is_behind = _is_trusted(self.peer, proxies)
        said = {name: header(of.lower()) for name, of in edge_headers.items()} if is_behind else {}
        failed = self.error is not None or self.status >= 400
        is_fault = isinstance(self.error, Exception)  # and not a client that went away
        fields = {
            "timestamp": datetime.now(UTC).isoformat(),
            "action": action,
            "status": "error" if failed else "success",
            "error_code": "server_error" if is_fault else None,
            "user_agent": header("user-agent"),
            "ip": client_address(self.peer, header("x-forwarded-for", ""), proxies),
            "domain": _without_port(header("host", "")).lower(),
            "path": self.path,
            "query": self.query,
            "referrer": header("referer"),
            **said,
            "resp": self._reply_text(),
            "duration": self.ended - self.begun,
        }
        return {name: _bounded(name, value) for name, value in fields.items() if value}

    def _reply_text(self) -> str | None:
        kind = self.reply_headers.get("content-type", "").lower()
        if "content-encoding" in self.reply_headers or not any(t in kind for t in _TEXTUAL):
            return None
        return self.reply.decode("utf-8", "replace")


def client_address(peer: str, forwarded: str, proxies: Sequence[Network]) -> str | None:
    """The address that a request came from: the last in the chain that is none of our proxies.

    `forwarded` is X-Forwarded-For, which everybody may write, so it is read from its end, and only
    as far as trusted proxies wrote it. An empty peer is a socket of this host.
    """
    address = peer
    if _is_trusted(peer, proxies):
        for hop in reversed(forwarded.split(",")):
            name = _without_port(hop.strip())
            if _address(name) is None:
                break
            address = name
            if not _is_trusted(name, proxies):
                break
    return address or None


def networks(names: Sequence[str]) -> list[Network]:
    """Addresses or networks in CIDR notation. Raises ValueError."""
    return [ipaddress.ip_network(name, strict=False) for name in names]


def _is_trusted(name: str, proxies: Sequence[Network]) -> bool:
    if not name:
        return bool(proxies)
    address = _address(name)
    return address is not None and any(address in network for network in proxies)


@lru_cache(maxsize=1024)
def _address(name: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def _without_port(name: str) -> str:
    """`a.example:80` and `[::1]:80` without the port, and `::1` as it is."""
    if name.startswith("["):
        return name[1:].partition("]")[0]
    return name.partition(":")[0] if name.count(":") == 1 else name


def _bounded(name: str, value: Any) -> Any:
    return value[:_MAX_HEADER] if isinstance(value, str) and name != "resp" else value


def _json(body: bytearray) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return {}
