"""How much a token may send: so many events per second, and so many per day."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from loaders.collector.tokens import Token

_BURST_SECONDS = 2


@dataclass(slots=True)
class _Bucket:
    left: float
    at: float


@dataclass(slots=True)
class Limits:
    """Token buckets, in events. `used_today` gives the events of a token stored today.

    A request is let in while the bucket holds anything, and may then take more than that: so a
    batch larger than the bucket passes, and the sender waits for what it borrowed.
    """

    used_today: Callable[[str], int]
    _buckets: dict[str, _Bucket] = field(default_factory=dict)

    def wait(self, token: Token) -> int:
        """Seconds for which a token has to wait before its next request; 0 if it need not."""
        if not token.rate:
            return 0
        left = self._bucket(token).left
        return 0 if left > 0 else max(1, math.ceil((1 - left) / token.rate))

    def take(self, token: Token, events: int) -> None:
        """Count events."""
        if token.rate:
            self._bucket(token).left -= events

    def wait_for_quota(self, token: Token, events: int) -> int:
        """Seconds until so many events fit in the quota of a day again; 0 if they do."""
        if not token.quota or self.used_today(token.token_id) + events <= token.quota:
            return 0
        now = datetime.now(UTC)
        midnight = (now + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
        return max(1, math.ceil((midnight - now).total_seconds()))

    def _bucket(self, token: Token) -> _Bucket:
        now, full = time.monotonic(), token.rate * _BURST_SECONDS
        bucket = self._buckets.setdefault(token.token_id, _Bucket(full, now))
        bucket.left = min(full, bucket.left + (now - bucket.at) * token.rate)
        bucket.at = now
        return bucket
