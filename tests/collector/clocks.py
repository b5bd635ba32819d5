"""Clocks of the collector that a test sets: that of the wall, and the one that only goes on."""

from __future__ import annotations

import datetime as dates
import sys
import time
from types import SimpleNamespace

import pytest

_OURS = ("loaders.collector", "loaders.landing", "loaders.sinks", "loaders.bronze")


class Clock:
    """Both go on by themselves, from where they are set. The wall's starts on 2026-05-01."""

    def __init__(self) -> None:
        self._ahead, self._waited = 0.0, 0.0
        self.set("2026-05-01T10:00:00")

    def set(self, moment: str) -> None:
        """Let the wall's clock jump to a moment in UTC."""
        wanted = dates.datetime.fromisoformat(moment).replace(tzinfo=dates.UTC)
        self._ahead = wanted.timestamp() - time.time()

    def jump(self, hours: float) -> None:
        """Let the wall's clock jump."""
        self._ahead += hours * 3600

    def wait(self, seconds: float) -> None:
        """Time goes by, for both."""
        self._ahead += seconds
        self._waited += seconds

    def time(self) -> float:
        return time.time() + self._ahead

    def monotonic(self) -> float:
        return time.monotonic() + self._waited

    def now(self) -> dates.datetime:
        return dates.datetime.fromtimestamp(self.time(), dates.UTC)

    def install(self, patch: pytest.MonkeyPatch) -> None:
        """Give it to every module of the collector and of landing that looks at a clock."""
        clock = self

        class Datetime(dates.datetime):
            @classmethod
            def now(cls, tz: dates.tzinfo | None = None) -> dates.datetime:
                return dates.datetime.fromtimestamp(clock.time(), tz)

        clocks = SimpleNamespace(time=self.time, monotonic=self.monotonic)
        for name, module in list(sys.modules.items()):
            if name.startswith(_OURS):
                if vars(module).get("datetime") is dates.datetime:
                    patch.setattr(module, "datetime", Datetime)
                if vars(module).get("time") is time:
                    patch.setattr(module, "time", clocks)
