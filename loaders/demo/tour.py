"""What `make demo` shows at its end: gold, what was refused, and what to do next."""

from __future__ import annotations

import duckdb
from rich.console import Console
from rich.table import Table

from loaders.home import Home, bronze_reader, open_home

STORM = """
select period_start, domain, error_code, sum(errors) as errors
from gold.attempts_hourly
where action = 'signup'
group by all
having sum(errors) > 100
order by errors desc
"""

SLOW_COUNTRY = """
select
    country,
    round(avg(difference_to_eu_percent), 1) as percent_slower_than_eu,
    sum(attempts) as logins
from gold.response_times_daily
where action = 'login'
group by all
order by percent_slower_than_eu desc nulls last
limit 4
"""

ERRORS = """
select
    error_code,
    sum(attempts) as attempts,
    round(100 * sum(attempts) / sum(sum(attempts)) over (), 1) as percent
from gold.attempt_errors_daily
where error_code != 'none'
group by all
order by attempts desc
limit 6
"""

TYPOS = """
select typed_domain, suggested_domain, typo_kind, sum(attempts) as attempts
from gold.email_domain_typos_weekly
group by all
order by attempts desc, typed_domain
limit 6
"""

LOSSES = """
select
    table_name,
    producer,
    sum(received) as received,
    sum(silver) as in_silver,
    sum(missing) as missing,
    max(gap_ranges) as gap_ranges,
    bool_and(balanced) as balanced
from gold.loss_ledger
group by all
order by missing desc, table_name, producer
"""

REFUSED = """
select dead.code, dead.pointer, count(*) as records
from bronze.dead_letters as dead
group by all
order by records desc, dead.code, dead.pointer
"""


def tour(home: Home, console: Console) -> None:
    """Print a few answers from published gold, and the books' refusals."""
    with duckdb.connect(str(home.published_file), read_only=True) as gold:
        _show(console, gold, "More than 100 errors on a registration endpoint in an hour", STORM)
        _show(console, gold, "Response times beside the European Union", SLOW_COUNTRY)
        _show(console, gold, "The most usual errors, whatever the language", ERRORS)
        _show(console, gold, "Mistyped mail domains, and what was meant", TYPOS)
        _show(console, gold, "What was received, and which numbers never came", LOSSES)
    with bronze_reader(home) as bronze:
        _show(console, bronze, "Refused, and why (kept in the dead letters)", REFUSED)
    console.print(
        f"Gold is in [bold]{home.published_file}[/], schema gold: open it with any DuckDB.\n"
        "Next: [bold].venv/bin/assay status[/], [bold].venv/bin/assay ledger[/], "
        "[bold].venv/bin/dbt build[/], [bold]make docs[/]; README.md says what is where."
    )


def _show(console: Console, connection: duckdb.DuckDBPyConnection, title: str, sql: str) -> None:
    result = connection.execute(sql)
    table = Table(title=title, title_justify="left", title_style="bold")
    for column in result.description or ():
        table.add_column(str(column[0]))
    for row in result.fetchall():
        table.add_row(*("" if value is None else str(value) for value in row))
    console.print(table)


if __name__ == "__main__":
    tour(open_home(), Console())
