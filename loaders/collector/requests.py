"""One request from its body to its reply: judged, stored, answered."""

from __future__ import annotations

import asyncio
import hashlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime

from loaders.collector.bodies import events_of, unpacked
from loaders.collector.checks import Checks
from loaders.collector.fairness import Turns
from loaders.collector.frames import Event, Origin
from loaders.collector.limits import Limits
from loaders.collector.replies import KeyReusedError, Reply
from loaders.collector.spool import Spool, SpoolFullError, Submission, UnavailableError
from loaders.collector.tokens import Token

# Requests that are judged or wait for their commit: who comes waits for those of others, too.
_AT_ONCE = 8
_JUDGED_AT_ONCE = 2
_SMALL_BODY = 16 << 10  # judged in less time than it takes to hand it to another thread


class RefusedError(Exception):
    """A request that is not answered with 202: status, code, what to do, seconds to wait.

    `closes` says that its connection ends, too.
    """

    def __init__(
        self, status: int, code: str, message: str, wait: int = 0, *, closes: bool = False
    ) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.wait = status, code, message, wait
        self.closes = closes


@dataclass(frozen=True, slots=True)
class Request:
    """What the headers say, and the body as it came."""

    table: str
    token: Token
    body: bytes
    encoding: str
    is_lines: bool
    idempotency_key: str | None
    trace_id: str


class Intake:
    """Takes requests for a spool."""

    def __init__(self, spool: Spool, checks: dict[str, Checks]) -> None:
        self._spool, self._checks = spool, checks
        self.limits = Limits(spool.usage.of)
        self._turns = Turns(_AT_ONCE)
        self._pool = ThreadPoolExecutor(_JUDGED_AT_ONCE, thread_name_prefix="judge")

    def close(self) -> None:
        self._pool.shutdown()

    def admit(self, token: Token) -> None:
        """Refuse before the body is read, where it would be in vain."""
        wait = self.limits.wait(token)
        if wait:
            raise _too_many(wait, "per second")
        wait = self.limits.wait_for_quota(token, 1)
        if wait:
            raise _too_many(wait, "today", "QUOTA_EXCEEDED")
        if self._spool.problem:
            raise _not_durable(1)
        if self._spool.is_full:
            raise _not_durable(5)

    async def take(self, request: Request) -> Reply:
        """Judge and store. Raises RefusedError, BodyError; the reply says that all is durable."""
        async with self._turns.turn(request.token.source):
            return await self._taken(request)

    async def _taken(self, request: Request) -> Reply:
        if len(request.body) > _SMALL_BODY or request.encoding:
            loop = asyncio.get_running_loop()
            submission = await loop.run_in_executor(self._pool, self._judged, request)
        else:
            submission = self._judged(request)
        number = len(submission.events)
        wait = self.limits.wait_for_quota(request.token, number)
        if wait:
            raise _too_many(wait, "today", "QUOTA_EXCEEDED")
        self.limits.take(request.token, number)
        try:
            return await asyncio.wrap_future(self._spool.submit(submission))
        except KeyReusedError:
            raise RefusedError(
                422,
                "IDEMPOTENCY_KEY_REUSED",
                "This X-Idempotency-Key came before with another body. Send a new key.",
            ) from None
        except SpoolFullError:
            raise _not_durable(5) from None
        except UnavailableError:
            raise _not_durable(1) from None

    def _judged(self, request: Request) -> Submission:
        body = unpacked(request.body, request.encoding)
        checks, token = self._checks[request.table], request.token
        events: list[Event] = []
        rejected = []
        for index, (raw, value) in enumerate(events_of(body, request.is_lines)):
            event = checks.judge(raw, value, token)
            events.append(event)
            if event.code:
                rejected.append({"index": index, "code": event.code, "pointer": event.pointer})
        origin = Origin(
            table=request.table,
            source=token.source,
            token=token.token_id,
            received_at=datetime.now(UTC).isoformat(),
            trace_id=request.trace_id,
            tenant=token.tenant,
            region=token.regions[0] if len(token.regions) == 1 else None,
            idempotency_key=request.idempotency_key,
        )
        reply = Reply(len(events) - len(rejected), 0, rejected, request.trace_id)
        return Submission(origin, events, hashlib.blake2b(body, digest_size=16).digest(), reply)


def _too_many(wait: int, per: str, code: str = "RATE_LIMITED") -> RefusedError:
    message = f"The token has sent as many events as it may {per}. Send again after {wait} s."
    return RefusedError(429, code, message, wait)


def _not_durable(wait: int) -> RefusedError:
    return RefusedError(
        503,
        "EVENT_CAPTURE_FAILED",
        f"The events could not be made durable, and none was taken. Send again after {wait} s.",
        wait,
    )
