"""Landing at a time of one's choice."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import pytest

from loaders.landing import batches


@contextmanager
def landing_at(moment: datetime) -> Iterator[None]:
    """Whatever lands, lands at this time."""

    class Clock(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Clock:
            return cls.combine(moment.date(), moment.timetz())

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(batches, "datetime", Clock)
        yield
