"""What somebody asks of a report: which days, by which period, of what alone."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta

from loaders.reports.declared import Report, Table
from loaders.reports.errors import PERIOD_INVALID, QUERY_FAILED, ReportError


@dataclass(frozen=True, slots=True)
class Asked:
    """First and last day, both included, None where not given; and the value of each filter.

    `partner` is the slug of whose file is read, where a report is of one.
    """

    first: date | None = None
    last: date | None = None
    period: str | None = None
    where: tuple[tuple[str, str], ...] = ()
    partner: str | None = None

    def period_of(self, table: Table) -> str:
        """The period that a table is shown by."""
        return self.period or table.periods[0]

    def fits(self, table: Table) -> bool:
        """Whether a table has the period and all the filters."""
        filters = {name for name, _ in self.where}
        return self.period_of(table) in table.periods and filters <= set(table.filters)


def asked(
    report: Report,
    first: str | None = None,
    last: str | None = None,
    period: str | None = None,
    where: Iterable[str] = (),
    partner: str | None = None,
) -> Asked:
    """What is asked of a report, from the words of a command. Raises ReportError."""
    if period is not None and period not in report.periods:
        offered = ", ".join(report.periods)
        raise ReportError(
            PERIOD_INVALID, f"{report.name} has no such period. Choose one of: {offered}."
        )
    if partner is None and report.is_for_partners:
        raise ReportError(
            QUERY_FAILED, f"{report.name} is about one partner. Name it: --partner SLUG"
        )
    if partner is not None and not report.is_for_partners:
        raise ReportError(QUERY_FAILED, f"{report.name} is of no partner. Leave --partner out.")
    filters = tuple(_filter(report, w) for w in where)
    wanted = Asked(_day("--from", first), _day("--to", last), period, filters, partner)
    if wanted.first and wanted.last and wanted.last < wanted.first:
        raise ReportError(PERIOD_INVALID, "--to is before --from. Give the earlier day as --from.")
    if not any(wanted.fits(table) for table in report.tables):
        raise ReportError(
            QUERY_FAILED,
            f"no table of {report.name} has this period and these filters together. "
            "Leave one of them out.",
        )
    given = {name for name, _ in wanted.where}
    for table in report.tables:
        for name in table.needs:
            if name not in given:
                raise ReportError(
                    QUERY_FAILED,
                    f"{report.name} is about one {name}. Name it: --where {name}=VALUE",
                )
    return wanted


def beginning(day: date, period: str) -> date:
    """The first day of the week or month that a day is in; of other periods, the day itself."""
    if period == "week":
        return day - timedelta(days=day.weekday())
    return day.replace(day=1) if period == "month" else day


def ending(day: date, period: str) -> date:
    """The last day of it."""
    if period == "month":
        return beginning(beginning(day, "month") + timedelta(days=32), "month") - timedelta(days=1)
    return beginning(day, period) + timedelta(days=6) if period == "week" else day


def back(day: date, period: str, number: int) -> date:
    """The day on which the period begins that is so many before that of a day."""
    if period == "month":
        months = day.year * 12 + day.month - 1 - number
        return date(months // 12, months % 12 + 1, 1)
    days = {"hour": number // 24, "day": number, "week": 7 * number}[period]
    return beginning(day, period) - timedelta(days=days)


def _day(option: str, given: str | None) -> date | None:
    if given is None:
        return None
    try:
        if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", given, re.ASCII):
            raise ValueError
        return date.fromisoformat(given)
    except ValueError:
        raise ReportError(
            PERIOD_INVALID, f"{option} is no day. Give it as 2026-05-31, in UTC."
        ) from None


def _filter(report: Report, given: str) -> tuple[str, str]:
    name, is_given, value = given.partition("=")
    if not is_given:
        raise ReportError(QUERY_FAILED, "--where takes COLUMN=VALUE. Write it so.")
    if name not in report.filters:
        offered = ", ".join(report.filters) or "none"
        raise ReportError(
            QUERY_FAILED,
            f"{report.name} cannot be filtered by that column. It can by: {offered}.",
        )
    return name, value
