"""What senders share, and how none of them keeps the others from it. A sender is a source."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter, OrderedDict, deque
from collections.abc import AsyncIterator

_SHARE = 4


def fits(held: int, size: int, free: int) -> bool:
    """Whether a sender who holds so much may hold `size` more, of which so much is free.

    Nobody may hold more than four times what is left for others: four fifths for one that is alone,
    less for each of several, and always something for one who comes new.
    """
    return held + size <= _SHARE * (free - size)


class Shares:
    """So much of something that senders hold for a while."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._held: Counter[str] = Counter()

    def take(self, sender: str, size: int) -> bool:
        """Hold `size` more; False, and nothing is held, where that is not fair."""
        is_fair = fits(self._held[sender], size, self._total - self._held.total())
        if is_fair:
            self._held[sender] += size
        return is_fair

    def give_back(self, sender: str, size: int) -> None:
        """Hold so much less."""
        self._held[sender] -= size
        if not self._held[sender]:
            del self._held[sender]


class Pace:
    """So many of something a second for each sender; each waits a least and a most of seconds."""

    def __init__(self, per_second: float, least: float, most: float) -> None:
        self._interval, self._least, self._most = 1 / per_second, least, most
        self._next: dict[str, float] = {}

    def wait(self, sender: str) -> float:
        """Seconds until it is the turn of this one."""
        now = time.monotonic()
        at = min(max(now + self._least, self._next.get(sender, 0.0)), now + self._most)
        self._next[sender] = at + self._interval
        return at - now


class Turns:
    """So many requests are worked on at once. Where more want to be, senders take turns."""

    def __init__(self, at_once: int) -> None:
        self._free = at_once
        self._waiting: OrderedDict[str, deque[asyncio.Future[None]]] = OrderedDict()

    @contextlib.asynccontextmanager
    async def turn(self, sender: str) -> AsyncIterator[None]:
        """Wait for a turn, and have it for as long as the block lasts."""
        if self._free:
            self._free -= 1
        else:
            await self._called(sender)
        try:
            yield
        finally:
            self._pass_on()

    async def _called(self, sender: str) -> None:
        mine: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(sender, deque()).append(mine)
        try:
            await mine
        except asyncio.CancelledError:
            if not mine.cancelled():  # called in the same moment
                self._pass_on()
            raise

    def _pass_on(self) -> None:
        while self._waiting:
            sender, queue = self._waiting.popitem(last=False)
            following = queue.popleft()
            if queue:
                self._waiting[sender] = queue  # behind the others
            if not following.done():
                following.set_result(None)
                return
        self._free += 1
