"""The collector over HTTP: an ASGI application."""

from __future__ import annotations

import asyncio
import contextlib
import re
import secrets
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.requests import Request as HttpRequest
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from loaders.collector import connections, log
from loaders.collector.bodies import MAX_BODY_BYTES, BodyError, too_large
from loaders.collector.checks import Checks
from loaders.collector.fairness import Pace, Shares
from loaders.collector.metrics import Metrics
from loaders.collector.openapi import openapi
from loaders.collector.requests import Intake, RefusedError, Request
from loaders.collector.spool import Spool
from loaders.collector.tokens import Token, Tokens
from loaders.contracts import Contract, load_contracts
from loaders.contracts.events import load_events
from loaders.errors import AssayError

_EVENTS = "platform_events"  # what POST /v1/events:batch lands in
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
_KEY = re.compile(r"[\x21-\x7e]{1,255}")
_BODY_SECONDS = 30
_HELD_BYTES = 256 << 20  # of bodies at once
_LOOK_SECONDS = 1.0
# Who does not wait when he is told to is made to, or would be told as fast as he can ask.
_SLOWLY_REFUSED = (401, 429)
_REFUSALS_PER_SECOND, _REFUSAL_SECONDS = 100, (0.25, 5)  # of one sender; least and most
_IS_LINES = {"application/json": False, "application/x-ndjson": True}


@dataclass(slots=True)
class _Told:
    """What is known of a request: for its reply, its metrics and its line of the log."""

    trace_id: str
    began: float = field(default_factory=time.monotonic)
    table: str = ""
    token_id: str | None = None
    sender: str = ""
    counts: dict[str, int] = field(default_factory=dict)
    codes: list[str] = field(default_factory=list)


class Collector:
    """The endpoints over a spool."""

    def __init__(self, spool: Spool, tokens: Tokens, residency: str, metrics: Metrics) -> None:
        self._spool, self._tokens, self._metrics = spool, tokens, metrics
        self._tables = event_tables()
        self._checks = {table: Checks(c, residency) for table, c in self._tables.items()}
        self._intake = Intake(spool, self._checks)
        self._requests, self._held = Shares(connections.MOST), Shares(_HELD_BYTES)
        self._refusals = Pace(_REFUSALS_PER_SECOND, *_REFUSAL_SECONDS)
        names = {**self._tables}
        if _EVENTS in names:
            names = {"events": names[_EVENTS], **names}
        self._openapi = openapi(names, load_events(), version("assay-lakehouse"))

    def app(self) -> Starlette:
        """The application."""
        routes = [
            Route("/v1/{table}:batch", self._batch, methods=["POST"]),
            Route("/healthz", self._alive),
            Route("/readyz", self._ready),
            Route("/metrics", self._figures),
            Route("/openapi.json", self._described),
        ]
        handlers: Any = {HTTPException: _no_such, Exception: _failed}
        return Starlette(routes=routes, lifespan=self._lifespan, exception_handlers=handlers)

    @contextlib.asynccontextmanager
    async def _lifespan(self, _: Starlette) -> AsyncIterator[None]:
        self._tokens.look()
        looking = asyncio.create_task(self._keep_looking())
        yield
        looking.cancel()
        self._intake.close()

    async def _keep_looking(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            try:
                await asyncio.to_thread(self._tokens.look)
            except AssayError:
                log.say("tokens_unreadable")

    async def _batch(self, http: HttpRequest) -> Response:
        told = _Told(_trace_id(http))
        try:
            response = await self._answered(http, told)
        except (RefusedError, BodyError) as refused:
            told.codes = [refused.code]
            if refused.status in _SLOWLY_REFUSED:
                await asyncio.sleep(self._refusals.wait(told.sender))
            response = _refusal(refused, told.trace_id)
        except ClientDisconnect:
            told.codes = ["disconnected"]
            response = Response(status_code=499)
        seconds = time.monotonic() - told.began
        self._metrics.requests.labels(told.table, response.status_code).inc()
        self._metrics.reply_seconds.observe(seconds)
        log.say(
            "request",
            trace_id=told.trace_id,
            token_id=told.token_id,
            table=told.table,
            status=response.status_code,
            **told.counts,
            codes=told.codes,
            duration_ms=round(seconds * 1000, 2),
        )
        return response

    async def _answered(self, http: HttpRequest, told: _Told) -> Response:
        token = self._holder(http)
        told.token_id, told.sender = token.token_id, token.source
        name = http.path_params["table"]
        table = _EVENTS if name == "events" else name
        if table not in self._tables:
            raise RefusedError(
                404,
                "schema_unknown",
                f"No table of events has this name. There are: {', '.join(self._tables)}.",
            )
        told.table = table
        if not token.may_send(table):
            raise RefusedError(
                403,
                "PERMISSION_DENIED",
                f"The token may not send to {table}. Ask for one that may.",
            )
        kind = http.headers.get("content-type", "application/json").split(";")[0].strip().lower()
        if kind not in _IS_LINES:
            raise RefusedError(
                415,
                "MEDIA_TYPE_UNSUPPORTED",
                "Send a JSON array as application/json, or lines as application/x-ndjson.",
            )
        key = http.headers.get("x-idempotency-key")
        if key is not None and not _KEY.fullmatch(key):
            raise RefusedError(
                400,
                "payload_malformed",
                "X-Idempotency-Key is not 1 to 255 visible ASCII characters. Send another.",
            )
        if not self._requests.take(token.source, 1):
            raise RefusedError(
                429,
                "RATE_LIMITED",
                "Too many requests of this sender wait to be answered. Send again after 1 s.",
                1,
                closes=True,
            )
        try:
            self._intake.admit(token)
            size = http.headers.get("content-length", "0")
            if size.isdecimal() and int(size) > MAX_BODY_BYTES:
                raise too_large(MAX_BODY_BYTES)
            encoding = http.headers.get("content-encoding", "")
            body = await self._body(http, token.source)
            try:
                reply = await self._intake.take(
                    Request(table, token, body, encoding, _IS_LINES[kind], key, told.trace_id)
                )
            finally:
                self._held.give_back(token.source, len(body))
        finally:
            self._requests.give_back(token.source, 1)
        told.counts = {
            "accepted": reply.accepted,
            "duplicates": reply.duplicates,
            "rejected": len(reply.rejected),
        }
        told.codes = sorted({refusal["code"] for refusal in reply.rejected})
        for outcome, number in told.counts.items():
            self._metrics.events.labels(table, outcome).inc(number)
        return JSONResponse(reply.as_dict(), 202, _traced(told.trace_id))

    def _holder(self, http: HttpRequest) -> Token:
        scheme, _, text = http.headers.get("authorization", "").partition(" ")
        token = self._tokens.holder(text.strip()) if scheme.lower() == "bearer" else None
        if token is None:
            raise RefusedError(
                401,
                "PERMISSION_DENIED",
                "No token, or one that is not valid here. Send Authorization: Bearer TOKEN.",
            )
        return token

    async def _body(self, http: HttpRequest, sender: str) -> bytes:
        """The body as it came. What it takes counts as held until the request is answered."""
        body = bytearray()
        try:
            async with asyncio.timeout(_BODY_SECONDS):
                async for part in http.stream():
                    if len(body) + len(part) > MAX_BODY_BYTES:
                        raise too_large(MAX_BODY_BYTES)
                    if not self._held.take(sender, len(part)):
                        raise RefusedError(
                            503,
                            "EVENT_CAPTURE_FAILED",
                            "Too much of this sender is being received. Send again after 1 s.",
                            1,
                        )
                    body += part
        except TimeoutError:
            self._held.give_back(sender, len(body))
            raise RefusedError(
                408, "payload_malformed", f"The body took over {_BODY_SECONDS} s. Send it again."
            ) from None
        except BaseException:
            self._held.give_back(sender, len(body))
            raise
        return bytes(body)

    async def _alive(self, _: HttpRequest) -> Response:
        return JSONResponse({"status": "alive"})

    async def _ready(self, _: HttpRequest) -> Response:
        problem = self._spool.problem or ("full" if self._spool.is_full else None)
        facts: dict[str, Any] = {"status": "not ready" if problem else "ready", "problem": problem}
        facts |= {"backlog_records": self._spool.records, "backlog_bytes": self._spool.bytes}
        return JSONResponse(facts, 503 if problem else 200)

    async def _figures(self, _: HttpRequest) -> Response:
        self._metrics.backlog_records.set(self._spool.records)
        self._metrics.backlog_bytes.set(self._spool.bytes)
        self._metrics.is_ready.set(not (self._spool.problem or self._spool.is_full))
        return Response(self._metrics.text(), media_type="text/plain; version=0.0.4")

    async def _described(self, _: HttpRequest) -> Response:
        return JSONResponse(self._openapi)


def event_tables() -> dict[str, Contract]:
    """The contracts of tables that take events, by table."""
    return {table: contract for table, contract in load_contracts().items() if contract.silver}


def _trace_id(http: HttpRequest) -> str:
    given = _TRACEPARENT.fullmatch(http.headers.get("traceparent", "").strip())
    return given[1] if given else secrets.token_hex(16)


def _traced(trace_id: str) -> dict[str, str]:
    return {"traceparent": f"00-{trace_id}-{secrets.token_hex(8)}-01"}


def _refusal(refused: RefusedError | BodyError, trace_id: str) -> Response:
    response = _error(refused.status, refused.code, refused.message, trace_id)
    if isinstance(refused, RefusedError) and refused.wait:
        response.headers["Retry-After"] = str(refused.wait)
    if isinstance(refused, RefusedError) and refused.closes:
        response.headers["Connection"] = "close"
    if refused.status == 401:
        response.headers["WWW-Authenticate"] = "Bearer"
    return response


def _error(status: int, code: str, message: str, trace_id: str) -> Response:
    said = {"code": code, "message": message, "trace_id": trace_id}
    return JSONResponse(said, status, _traced(trace_id))


async def _no_such(http: HttpRequest, refused: HTTPException) -> Response:
    message = "There is no such address or method here. See /openapi.json."
    response = _error(refused.status_code, "not_found", message, _trace_id(http))
    response.headers.update(refused.headers or {})  # a 405 says what is allowed
    return response


async def _failed(http: HttpRequest, error: Exception) -> Response:
    trace_id = _trace_id(http)
    log.say("failed", trace_id=trace_id, error=type(error).__name__)
    message = "The collector failed. Send again after 1 s."
    return _refusal(RefusedError(503, "EVENT_CAPTURE_FAILED", message, 1), trace_id)
