"""Every card of every dashboard, asked as Metabase would with the defaults of its filters.

On the demo's published gold, warm: in process, without Metabase and without a network.
"""

from __future__ import annotations

from collections.abc import Iterator

from asking import asked
from figures import Row, Spread, at_most, number, percentile
from measuring import Bench
from publishing import HOME

from loaders.dashboards.check import choices, newest, opened, sql_of
from loaders.dashboards.declared import read_dashboards
from loaders.dashboards.sql import Engine
from loaders.home import Home

TIMES = 20
GOAL_MS = 200


def section(bench: Bench) -> Iterator[Row]:
    """The slowest card of each dashboard, and all cards together."""
    home = Home(bench.folder / HOME / "home")
    everything, slowest = [], {}
    for dashboard in read_dashboards():
        with opened(home, dashboard) as gold:
            now = newest(gold, dashboard)
            for slug, card in dashboard.cards.items():
                (chosen, *_) = choices(dashboard, card, now)
                sql = sql_of(card, Engine("duckdb", "gold", now), chosen)
                taken, _ = asked(gold, sql, TIMES)
                everything += taken
                slowest[f"{dashboard.slug}/{slug}"] = percentile(taken, 95)
    ranked = sorted(slowest.items(), key=lambda item: -item[1])
    bench.say("; ".join(f"{name} {number(took)} ms" for name, took in ranked[:5]))
    yield Row(
        f"all {len(slowest)} cards together",
        f"p50 {number(percentile(everything, 50))} ms",
        Spread.of(percentile(everything, 95)),
        "ms, p95",
        goal=at_most(GOAL_MS),
    )
    name, took = ranked[0]
    yield Row("the slowest card", name, Spread.of(took), "ms, p95", goal=at_most(GOAL_MS))
    over = sum(took > GOAL_MS for took in slowest.values())
    yield Row("cards over 200 ms", "", Spread.of(over), "cards", goal=at_most(0))
