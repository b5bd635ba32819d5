"""The marts of games against DuckDB by hand: a first build, late events, and as events grow.

Each round brings new events, one in twenty of them up to a week late. Beside it stands
`gaming_by_hand.sql`: the figures of the same marts, without privacy, as one would write them for
DuckDB alone, over the bronze that was read. What is SQL and what is dbt's own: builds.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from string import Template

from builds import ROUNDS, Case, by_hand, first_refresh, measured
from figures import Row, Spread, at_most, exponent, number
from measuring import Bench

from loaders.home import Home, connect, quote
from loaders.landing.batches import land_file

HOME = "games"  # in the folder of a run, for the sections that come later
BATCHES = 10
DAYS, LATE_SHARE, LATE_DAYS = 30, 0.05, 7
BETS_PER_PLAYER = 60
MADE = Path(__file__).with_name("gaming_events.sql")
BY_HAND = Path(__file__).with_name("gaming_by_hand.sql")


def section(bench: Bench) -> Iterator[Row]:
    """Rows of the builds of games."""
    case = Case(
        name=HOME,
        events=bench.events,
        new=max(100, bench.events // 100),
        cadence="hourly",
        domains="access,engagement,gaming",
        make=_make,
        land=_land,
        by_hand=lambda home: by_hand(BY_HAND, home, ["platform_events"]),
        hand="DuckDB by hand, without privacy",
    )
    splits = []
    for share in (100, 10):
        events = bench.events // share
        splits.append(first_refresh(bench, replace(case, name=f"games-{share}", events=events))[0])
        bench.say(f"{events:,} events: {splits[-1]}")
    splits.append((yield from measured(bench, case)))
    sizes = [float(bench.events // share) for share in (100, 10, 1)]
    for what, costs in (
        ("a whole build", [split.build for split in splits]),
        ("its models' SQL", [split.summed["models"] for split in splits]),
    ):
        yield Row(
            f"{what} as events grow, 1 : 10 : 100",
            ", ".join(f"{number(cost)} s" for cost in costs),
            Spread.of(exponent(sizes, costs)),
            "exponent",
            goal=at_most(1.1),
        )


def _land(home: Home, base: Path, part: str) -> None:
    """Those of one part; at first the rates as well."""
    if part == "first":
        land_file(home, "fx_rates", base / "rates.csv")
    for file in sorted(base.glob(f"{part}*")):
        land_file(home, "platform_events", file)


def _make(base: Path, events: int, new: int) -> None:
    """Files of what is there at first, and of what each round brings: the newest, and late ones."""
    end = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
    days = [f"{end - timedelta(days=day):%Y-%m-%d}" for day in range(DAYS + 2)]
    rates = ["rate_date,currency,rate", *(f"{day},TRY,0.02" for day in days)]
    (base / "rates.csv").write_text("\n".join(rates), encoding="utf-8")
    bets = (events + ROUNDS * new) // 2
    late = round(ROUNDS * new * LATE_SHARE)
    with connect() as connection:
        connection.execute(
            Template(MADE.read_text(encoding="utf-8")).substitute(
                players=max(1, bets // BETS_PER_PLAYER),
                bets=bets,
                end=end,
                days=DAYS,
                all_events=events + ROUNDS * new,
                late=late,
                late_days=LATE_DAYS,
                first=events + late,
                new_in_time=ROUNDS * new - late,
                rounds=ROUNDS,
                batches=BATCHES,
            )
        )
        for (name,) in connection.sql("select distinct file from files").fetchall():
            connection.execute(
                f"""
                copy (
                    select
                        event_id, event_type, occurred_at, 'p-' || player as user_id,
                        case when player % 3 = 0 then 'lale' else 'play' end as tenant_id,
                        'eu' as region,
                        json_merge_patch(
                            payload, json_object('currency', if(player % 3 = 0, 'TRY', 'EUR'))
                        ) as payload
                    from files
                    where file = {quote(name)}
                ) to {quote(str(base / name))} (format parquet)
                """
            )
