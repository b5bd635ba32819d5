"""Middleware that reports sign-up attempts of any WSGI or ASGI application.

The application's reply goes through as it is, and so does what it raises. Bodies are copied as they
go by, never read ahead, and the attempt is made up when the reply is already there.
"""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable, Iterable, Iterator, MutableMapping
from typing import Any

from loaders.client.exchange import Exchange
from loaders.client.recorder import Recorder

Environ = dict[str, Any]
WsgiApp = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
AsgiApp = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]


class WsgiMiddleware:
    """A WSGI application that reports what another one is asked."""

    def __init__(self, app: WsgiApp, recorder: Recorder) -> None:
        self._app, self._recorder = app, recorder

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answer as the application does."""
        attempt = _wsgi_attempt(self._recorder, environ)
        if attempt is None:
            return self._app(environ, start_response)
        watch = _WsgiWatch(self._recorder, *attempt)
        if "wsgi.input" in environ:
            environ["wsgi.input"] = _Input(environ["wsgi.input"], watch.keep_body)

        def start(status: str, headers: list[tuple[str, str]], *exc_info: Any) -> Any:
            write = start_response(status, headers, *exc_info)
            return watch.started(status, headers, write)

        try:
            reply = self._app(environ, start)
        except BaseException as error:
            watch.failed(error)
            raise
        wrapper = environ.get("wsgi.file_wrapper")
        if isinstance(wrapper, type) and isinstance(reply, wrapper):
            watch.done()  # the server knows it by its type, and sends it its own way
            return reply
        return _List(reply, watch) if type(reply) in (list, tuple) else _Pieces(reply, watch)


class AsgiMiddleware:
    """An ASGI application that reports what another one is asked."""

    def __init__(self, app: AsgiApp, recorder: Recorder) -> None:
        self._app, self._recorder = app, recorder

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Answer as the application does."""
        recorder, attempt = self._recorder, _asgi_attempt(self._recorder, scope)
        if attempt is None:
            await self._app(scope, receive, send)
            return
        action, exchange = attempt

        async def heard() -> Message:
            message = await receive()
            if message["type"] == "http.request":
                recorder.keep(exchange.body, message.get("body", b""))
            return message

        async def said(message: Message) -> None:
            if message["type"] == "http.response.start":
                exchange.status = message["status"]
                with contextlib.suppress(Exception):  # the server says what is wrong with them
                    exchange.reply_headers = _decoded(message.get("headers", ()))
            elif message["type"] == "http.response.body":
                recorder.keep(exchange.reply, message.get("body", b""))
                if not message.get("more_body", False):
                    exchange.end()
            await send(message)
            if exchange.ended:
                report_once()  # what the application does behind its reply is no part of it

        is_reported = False

        def report_once() -> None:
            nonlocal is_reported
            if not is_reported:
                is_reported = True
                recorder.report(action, exchange)

        try:
            await self._app(scope, heard, said)
        except BaseException as error:
            exchange.error = exchange.error or error
            raise
        finally:
            report_once()


class _WsgiWatch:
    """What one request of WSGI leaves behind; reports it once."""

    def __init__(self, recorder: Recorder, action: str, exchange: Exchange) -> None:
        self._recorder, self._action, self._exchange = recorder, action, exchange
        self._is_reported = False

    def keep_body(self, piece: bytes) -> None:
        self._recorder.keep(self._exchange.body, piece)

    def keep_reply(self, piece: bytes) -> None:
        self._recorder.keep(self._exchange.reply, piece)

    def started(self, status: str, headers: list[tuple[str, str]], write: Any) -> Any:
        """Note the head of the reply, and copy what is written the old way."""
        with contextlib.suppress(Exception):  # what is wrong with them is the server's to say
            self._exchange.status = int(status[:3])
            self._exchange.reply_headers = {name.lower(): value for name, value in headers}

        def written(piece: bytes) -> Any:
            self.keep_reply(piece)
            return write(piece)

        return written

    def answered(self) -> None:
        """The reply is there."""
        self._exchange.end()

    def failed(self, error: BaseException) -> None:
        self._exchange.error = error
        self.done()

    def done(self) -> None:
        if not self._is_reported:
            self._is_reported = True
            self._recorder.report(self._action, self._exchange)


class _List(list[bytes]):
    """A reply in whole: still a list, by whose length servers find the length of the body."""

    def __init__(self, pieces: Iterable[bytes], watch: _WsgiWatch) -> None:
        super().__init__(pieces)
        self._watch = watch
        watch.answered()
        for piece in self:
            watch.keep_reply(piece)

    def close(self) -> None:
        """The server has sent it."""
        self._watch.done()


class _Pieces:
    """A reply in pieces, each passed on when it comes."""

    def __init__(self, reply: Iterable[bytes], watch: _WsgiWatch) -> None:
        self._reply, self._watch = reply, watch
        self._pieces: Iterator[bytes] | None = None

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        try:
            if self._pieces is None:
                self._pieces = iter(self._reply)
            piece = next(self._pieces)
        except StopIteration:
            self._watch.answered()
            raise
        except BaseException as error:
            self._watch.failed(error)
            raise
        self._watch.keep_reply(piece)
        return piece

    def close(self) -> None:
        """The server has sent it, or gave up."""
        try:
            close = getattr(self._reply, "close", None)
            if close is not None:
                close()
        finally:
            self._watch.done()


class _Input:
    """The body of a request: what the application reads is copied."""

    def __init__(self, body: Any, keep: Callable[[bytes], None]) -> None:
        self._body, self._keep = body, keep

    def read(self, *size: Any) -> bytes:
        return self._kept(self._body.read(*size))

    def readline(self, *size: Any) -> bytes:
        return self._kept(self._body.readline(*size))

    def readlines(self, *hint: Any) -> list[bytes]:
        return [self._kept(line) for line in self._body.readlines(*hint)]

    def __iter__(self) -> Iterator[bytes]:
        return map(self._kept, iter(self._body))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._body, name)

    def _kept(self, piece: bytes) -> bytes:
        self._keep(piece)
        return piece


def _wsgi_attempt(recorder: Recorder, environ: Environ) -> tuple[str, Exchange] | None:
    """The action and what is known of it, or None where a request is no attempt. Never raises."""
    with contextlib.suppress(Exception):
        method = environ.get("REQUEST_METHOD", "")
        path = _wsgi_text(environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", ""))
        action = recorder.action_of(method, path)
        if action is not None:
            headers = {
                name[5:].replace("_", "-").lower(): str(value)
                for name, value in environ.items()
                if name.startswith("HTTP_")
            }
            headers.setdefault("host", environ.get("SERVER_NAME", ""))
            query, peer = environ.get("QUERY_STRING", ""), environ.get("REMOTE_ADDR", "")
            return action, Exchange(method, path, query, headers, peer)
    return None


def _asgi_attempt(
    recorder: Recorder, scope: MutableMapping[str, Any]
) -> tuple[str, Exchange] | None:
    """The same for ASGI."""
    with contextlib.suppress(Exception):
        is_http = scope["type"] == "http"
        action = recorder.action_of(scope["method"], scope["path"]) if is_http else None
        if action is not None:
            query, headers = scope.get("query_string", b""), _decoded(scope["headers"])
            peer = (scope.get("client") or ("",))[0]
            return action, Exchange(
                scope["method"], scope["path"], query.decode("latin-1"), headers, peer
            )
    return None


def _decoded(headers: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """Headers as text; those that come more than once are one list, as HTTP has it."""
    found: dict[str, str] = {}
    for raw_name, raw_value in headers:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        found[name] = f"{found[name]},{value}" if name in found else value
    return found


def _wsgi_text(text: str) -> str:
    """WSGI has bytes as Latin-1; they are UTF-8."""
    return text.encode("latin-1", "replace").decode("utf-8", "replace")
