"""Applications that the middleware is put around, and servers that call them by protocol."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any
from wsgiref.handlers import SimpleHandler

FORM = {
    "email": "ann@example.com",
    "phone": "+4915112345678",
    "password": "hunter2-in-body",
    "country": "DE",
    "currency": "EUR",
    "fp": "0f1e2d",
    "aff": {"aff_id": "a1", "click_id": "c9"},
}
HEADERS = {
    "Host": "Play.Example.com:8443",
    "User-Agent": "Browser/1.0",
    "Referer": "https://landing.example/?token=hunter2-in-referer",
    "X-Forwarded-For": "6.6.6.6, 203.0.113.9, 10.0.0.2",
    "CF-IPCountry": "DE",
    "Cookie": "session=hunter2-in-cookie",
    "Content-Type": "application/json",
}
QUERY = "lang=de&password=hunter2-in-query"
JSON = [("Content-Type", "application/json"), ("X-Own", "1")]
# How an application answers at each path, and whether it raises there.
KINDS = ("list", "pieces", "refused", "empty", "early", "late")


class Fault(Exception):
    """What an application raises."""


def extract(exchange: Any) -> dict[str, Any]:
    """The fields of an attempt that only the application knows."""
    form = exchange.json()
    return {
        **{name: form.get(name) for name in ("email", "phone", "country", "currency", "fp")},
        "aff_data": form.get("aff"),
        "additional_data": {k: v for k, v in form.items() if k == "password"},
        "error_code": exchange.reply_json().get("code"),
    }


def reply(kind: str, body: bytes) -> tuple[int, list[bytes]]:
    """Status and body of an answer, in pieces; raises where the kind says so."""
    if kind == "early":
        raise Fault("before it answers")
    if kind == "refused":
        return 422, [b'{"code": "email_taken", "n": %d}' % len(body)]
    if kind == "empty":
        return 204, []
    whole = json.dumps({"ok": True, "access_token": "hunter2-in-reply", "n": len(body)}).encode()
    return 200, [whole[:7], whole[7:]]


class Wsgi:
    """A WSGI application, and what a server makes of it."""

    def __init__(self) -> None:
        self.closed = 0

    def __call__(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        kind = environ["PATH_INFO"].rpartition("/")[2]
        source = environ["wsgi.input"]
        body = source.read(5) + source.read(int(environ.get("CONTENT_LENGTH") or 0) - 5)
        status, pieces = reply(kind, body)
        write = start(f"{status} As Said", list(JSON))
        if kind == "list":
            return [b"".join(pieces)]
        if kind == "refused":
            write(pieces[0])
            return ()
        return self._pieces(kind, pieces)

    def _pieces(self, kind: str, pieces: list[bytes]) -> Iterator[bytes]:
        try:
            for piece in pieces:
                yield piece
                if kind == "late":
                    raise Fault("in the middle of it")
        finally:
            self.closed += 1


def call_wsgi(app: Any, kind: str, **environ: Any) -> tuple[bytes, str]:
    """The bytes that a server of the standard library sends, and the exception it saw."""
    body = json.dumps(FORM).encode()
    out, raised = io.BytesIO(), []

    class Handler(SimpleHandler):
        def log_exception(self, exc_info: Any) -> None:
            raised.append(exc_info[0].__name__)

    names = {f"HTTP_{k.upper().replace('-', '_')}": v for k, v in HEADERS.items()}
    del names["HTTP_CONTENT_TYPE"]
    given = {
        "REQUEST_METHOD": "POST",
        "SCRIPT_NAME": "",
        "PATH_INFO": f"/api/signup/{kind}",
        "QUERY_STRING": QUERY,
        "REMOTE_ADDR": "10.0.0.1",
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "CONTENT_TYPE": "application/json",
        "CONTENT_LENGTH": str(len(body)),
        **names,
        **environ,
    }
    handler = Handler(io.BytesIO(body), out, io.StringIO(), given, multithread=False)
    handler.origin_server = True
    handler.http_version = "1.1"
    handler.run(app)
    sent = out.getvalue()
    dates = [line for line in sent.split(b"\r\n") if line.startswith(b"Date:")]
    return sent.replace(dates[0], b"") if dates else sent, "".join(raised)


async def asgi(scope: Any, receive: Any, send: Any) -> None:
    """An ASGI application."""
    if scope["type"] != "http":
        await send({"type": f"{scope['type']}.seen"})
        return
    kind = scope["path"].rpartition("/")[2]
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    status, pieces = reply(kind, body)
    headers = [(name.lower().encode(), value.encode()) for name, value in JSON]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    for piece in pieces:
        await send({"type": "http.response.body", "body": piece, "more_body": True})
        if kind == "late":
            raise Fault("in the middle of it")
    await send({"type": "http.response.body"})


def call_asgi(app: Any, kind: str, **scope: Any) -> tuple[list[Any], str]:
    """The messages that a server gets, and the exception it saw."""
    body = json.dumps(FORM).encode()
    waiting = [
        {"type": "http.request", "body": body[:9], "more_body": True},
        {"type": "http.request", "body": body[9:]},
    ]
    sent: list[Any] = []

    async def receive() -> Any:
        return waiting.pop(0)

    async def send(message: Any) -> None:
        sent.append(dict(message))

    given = {
        "type": "http",
        "method": "POST",
        "path": f"/api/signup/{kind}",
        "query_string": QUERY.encode(),
        "client": ("10.0.0.1", 1234),
        "headers": [(k.lower().encode(), v.encode()) for k, v in HEADERS.items()],
        **scope,
    }
    try:
        asyncio.run(app(given, receive, send))
    except Fault as fault:
        return sent, type(fault).__name__
    return sent, ""
