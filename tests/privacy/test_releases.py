"""`assay release`: noise that is drawn once, and a budget that nothing gives back.

ASSAY_LONG=1 asks again on every day of a year. What averaging would give is R8 of the red team.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import duckdb
import pytest
from claims_home import put_claims, some_claims
from click.testing import CliRunner
from conftest import run_dbt

from loaders import audit, releases
from loaders.cli import main
from loaders.errors import AssayError
from loaders.home import Home, bronze_reader
from loaders.releases import budget
from loaders.releases.claims import public_cells
from loaders.releases.errors import CLOSED, SPENT, UNLIKE, ReleaseError
from loaders.releases.quarters import Quarter, quarter_of

Q1, Q2, Q3 = (Quarter(2026, n) for n in (1, 2, 3))
ASKED_AGAIN = 365 if os.environ.get("ASSAY_LONG") == "1" else 5


@pytest.fixture
def claims(home: Home) -> Home:
    put_claims(home, some_claims())
    return home


def files(home: Home) -> dict[str, bytes]:
    """The bytes of all releases."""
    return {
        path.name: path.read_bytes()
        for path in sorted((home.bronze / releases.TABLE).rglob("*.parquet"))
    }


def asked(home: Home, times: int) -> set[str]:
    """What a quarter's figures are told as, however often one asks."""
    return {json.dumps(releases.release(home, Q1).rows, default=str) for _ in range(times)}


def test_asked_again_it_is_the_same(claims: Home) -> None:
    first = releases.release(claims, Q1)
    written = files(claims)
    assert first.is_new
    assert len(asked(claims, ASKED_AGAIN)) == 1, "the mean of several draws is the truth"
    assert files(claims) == written
    with bronze_reader(claims) as bronze:
        entries = bronze.sql("select action, query_params ->> 'period' from bronze.audit_log")
        assert entries.fetchall() == [("release", "2026-Q1")]


def test_every_public_cell_is_told_with_its_interval(claims: Home) -> None:
    rows = releases.release(claims, Q1).rows
    assert [(row["claim_type"], row["region"]) for row in rows] == public_cells("eu")
    assert len(rows) == 5 * 27
    for row in rows:
        around = row["claimants"] - row["lower_bound"], row["upper_bound"] - row["claimants"]
        assert around == (19, 19)  # OpenDP: 18.45 for scale 6
        assert (row["epsilon"], row["noise_scale"], row["delta"]) == (0.5, 6.0, 0.0)
    assert len({row["claimants"] for row in rows}) > 5, "empty cells have noise too"


def test_the_command_says_it_and_its_errors_have_a_code(claims: Home) -> None:
    def run(*more: str) -> tuple[int, str]:
        words = ["release", "public_claim_report", "--home", str(claims.path), *more]
        result = CliRunner().invoke(main, words)
        return result.exit_code, result.output

    assert run("--period", "2026-Q1", "--json") == run("--period", "2026-Q1", "--json")
    code, said = run("--period", "2026-Q1")
    assert code == 0
    assert said.startswith("Was released before, and stays as it is: public_claim_report/2026-Q1")
    assert run("--period", "2026-Q1", "--epsilon", "0.1")[1].startswith(f"{UNLIKE}: ")
    assert run("--period", "2026-Q2", "--epsilon", "1.6")[1].startswith(f"{SPENT}: ")
    assert run("--period", "2026-Q4")[1].startswith(f"{CLOSED}: ")
    assert "Give a quarter" in run("--period", "2026-01")[1]


def overspend(home: Home) -> None:
    """Spend the whole budget of a year, then ask for a little more."""
    for quarter, epsilon in ((Q1, 1.2), (Q2, 0.7), (Q3, 0.1)):
        releases.release(home, quarter, epsilon)
    before = files(home)
    for epsilon in (0.01, 1e9, float("nan"), 0.0, -1.0):
        with pytest.raises(ReleaseError, match=SPENT):
            releases.release(home, Quarter(2026, 4), epsilon)
    assert files(home) == before


def test_more_than_the_budget_is_refused(claims: Home) -> None:
    overspend(claims)
    assert releases.release(claims, Quarter(2025, 4)).is_new  # another year's


def test_a_twin_that_forgets_the_budget_is_seen(
    claims: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(budget, "spent", lambda *_: 0)
    with pytest.raises((pytest.fail.Exception, AssertionError, ReleaseError)):
        overspend(claims)


def two_at_once(home: Home, monkeypatch: pytest.MonkeyPatch) -> int:
    """Two draw at the same moment, if anything lets them. Returns how many were released."""
    meeting, real = threading.Barrier(2), releases._drawn

    def drawn(*given: object) -> object:
        with contextlib.suppress(threading.BrokenBarrierError):
            meeting.wait(timeout=1)
        return real(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(releases, "_drawn", drawn)

    def ask(quarter: Quarter) -> bool:
        with contextlib.suppress(ReleaseError):
            return releases.release(home, quarter, 1.5).is_new
        return False

    with ThreadPoolExecutor() as threads:
        return sum(threads.map(ask, (Q1, Q2)))


def test_two_at_once_spend_the_budget_once(claims: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    assert two_at_once(claims, monkeypatch) == 1


def test_a_twin_without_the_lock_spends_it_twice(
    claims: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(releases, "leased", lambda _: contextlib.nullcontext())
    assert two_at_once(claims, monkeypatch) == 2


def test_two_processes_spend_the_budget_once(claims: Home) -> None:
    command = [sys.executable, "-c", "from loaders.cli import main; main()", "release"]
    command += ["public_claim_report", "--home", str(claims.path), "--epsilon", "1.5", "--period"]
    both = [
        subprocess.Popen([*command, str(quarter)], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for quarter in (Q1, Q2)
    ]
    said = [process.communicate()[1].decode() for process in both]
    assert sorted(process.returncode for process in both) == [0, 1], said
    assert any(line.startswith(SPENT) for line in said)
    assert budget.spent(claims, releases.TABLE, 2026) == budget._exact(1.5)


def mart(home: Home) -> list[tuple[object, ...]]:
    with duckdb.connect(str(home.warehouse), read_only=True) as warehouse:
        return warehouse.execute("select * from gold.public_claim_report order by all").fetchall()


def test_neither_a_dropped_mart_nor_a_full_refresh_gives_it_back(claims: Home) -> None:
    """Nor a new target: the second build begins without a warehouse."""
    made = releases.release(claims, Q1, 2)
    select = ("build", "--select", "+public_claim_report")
    run_dbt(claims, *select)
    told = mart(claims)
    assert len(told) == len(made.rows)
    assert {row[4] for row in told} == {row["claimants"] for row in made.rows}
    claims.warehouse.unlink()
    run_dbt(claims, *select, "--full-refresh")
    assert mart(claims) == told
    assert releases.release(claims, Q1).rows == made.rows
    with pytest.raises(ReleaseError, match=SPENT):
        releases.release(claims, Q2)


def test_a_killed_release_is_there_or_not(claims: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed before the commit nobody has seen the draw; killed after it, it is the release."""

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    for place in ("loaders.bronze.durable_rename", "loaders.sinks.parquet.ParquetSink.publish"):
        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr(audit, "append", lambda *_, **__: None)  # it is killed elsewhere
            patch.setattr(place, killed)
            releases.release(claims, Q1)
    again = releases.release(claims, Q1)
    assert not again.is_new
    assert len(asked(claims, 2)) == 1
    assert budget.spent(claims, releases.TABLE, 2026) == budget._exact(0.5)


def test_a_quarter_that_is_not_over_is_refused(home: Home) -> None:
    put_claims(home, some_claims(), built="2026-03-31 23:59:59")
    with pytest.raises(ReleaseError, match=CLOSED):
        releases.release(home, Q1)
    assert releases.release(home, Quarter(2025, 4)).is_new


def test_without_claims_it_says_what_to_run(home: Home) -> None:
    duckdb.connect(str(home.warehouse)).close()
    with pytest.raises(ReleaseError, match="assay refresh"):
        releases.release(home, Q1)


def test_without_opendp_it_says_what_to_install(
    claims: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "opendp.prelude", None)
    with pytest.raises(AssayError, match=r"assay-lakehouse\[dp\]"):
        releases.release(claims, Q1)


def test_codes_are_those_of_the_seed() -> None:
    seed = (Path(__file__).parents[2] / "seeds" / "error_codes.csv").read_text(encoding="utf-8")
    for code in (SPENT, CLOSED, UNLIKE):
        assert f"\n{code},pipeline," in seed


def test_quarters() -> None:
    assert [str(quarter_of(f"2026-Q{n}").first) for n in (1, 2, 3, 4)] == [
        "2026-01-01",
        "2026-04-01",
        "2026-07-01",
        "2026-10-01",
    ]
    assert str(quarter_of("2026-Q4").end) == "2027-01-01"
    assert str(quarter_of("2026-Q1").end) == "2026-04-01"
