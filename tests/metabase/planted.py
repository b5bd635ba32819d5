"""A small dashboard, in which tests plant faults."""

from __future__ import annotations

from pathlib import Path

GOOD = """\
dashboard: small
title: Small
text: A dashboard to plant faults in.
collection: Gold / Small
access: [analysts]
filters:
  period: {title: Days, type: date, default: past7days~}
  domain: {title: Domain, type: text}
cards:
  total:
    title: Requests
    show: number
    unit: requests
    y: requests
    sql: |
      select cast(sum(attempts) as int64) as requests
      from {{ ref('attempts_daily') }}
      where {{ filter('period', 'period_start') }}
        and {{ filter('domain', 'domain') }}
  by_day:
    title: Requests by day
    show: line
    unit: requests
    model: attempts_daily
    x: period_start
    sum: attempts
    by: status
    filters: {period: period_start, domain: domain}
rows:
  - [total, by_day:3]
alerts:
  storm:
    title: Too many errors
    text: Look at them.
    every: hour
    to: [analysts]
    sql: |
      select period_start, sum(errors) as failed
      from {{ ref('attempts_hourly') }}
      where period_start = {{ hours_ago(1) }}
      group by period_start
      having sum(errors) > 100
"""


def plant(folder: Path, old: str = "", new: str = "", name: str = "small") -> Path:
    """Write the dashboard with a fault in it."""
    assert old in GOOD
    folder.mkdir(exist_ok=True)
    file = folder / f"{name}.yml"
    file.write_text(GOOD.replace(old, new, 1) if old else GOOD, encoding="utf-8")
    return file


def line_of(file: Path, part: str) -> int:
    """The line on which a text stands, counted by hand."""
    lines = file.read_text(encoding="utf-8").splitlines()
    return next(number for number, line in enumerate(lines, start=1) if part in line)
