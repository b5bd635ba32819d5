"""`assay release` of a home on BigQuery: GoogleSQL's own clause bounds, and adds the noise."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from bigquery_home import CLOUD_PROJECT, bigquery_home
from official import client_of
from standin import StandIn

from loaders import releases
from loaders.home import Home
from loaders.releases.claims import public_cells
from loaders.releases.errors import SPENT, ReleaseError
from loaders.releases.figures import _claims, clause
from loaders.releases.policy import read_policy
from loaders.releases.quarters import Quarter

Q1 = Quarter(2026, 1)
MANY = 60
POLICY = read_policy()

Placed = tuple[StandIn, Home]


@pytest.fixture(scope="module")
def placed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Placed]:
    """People with one claim of one kind, one of whom has a claim in every cell."""
    with pytest.MonkeyPatch.context() as patch, StandIn(CLOUD_PROJECT) as standin:
        patch.setenv("BIGQUERY_EMULATOR_HOST", standin.endpoint)
        home = bigquery_home(tmp_path_factory.mktemp("releases") / "home")
        target = home.bigquery
        assert target is not None
        client = client_of(standin, target.location)
        cells = " union all ".join(
            f"select '{claim_type}' as claim_type, '{region}' as region"
            for claim_type, region in public_cells("eu")
        )
        client.query_and_wait(
            f"""
            create table {target.layer("silver")}.int_claims__claims as
            select
                concat('p', cast(n as string)) as subject_key, 'auto' as claim_type,
                'DE' as country, timestamp '2026-02-03' as submitted_at
            from unnest(generate_array(1, {MANY})) as n
            union all
            select 'everywhere', claim_type, upper(region), timestamp '2026-02-03'
            from ({cells}) as cells
            """
        )
        client.query_and_wait(
            f"create table {target.dataset}.last_build as "
            "select timestamp '2026-10-02 04:00:00+00' as started_at"
        )
        yield standin, home


def test_a_release_is_drawn_once(placed: Placed, tell: Callable[[str], None]) -> None:
    _, home = placed
    made = releases.release(home, Q1)
    again = releases.release(home, Q1)
    assert (made.is_new, again.is_new) == (True, False)
    assert again.rows == made.rows
    assert [(row["claim_type"], row["region"]) for row in made.rows] == public_cells("eu")
    told = {
        (row["claim_type"], row["region"]): row["claimants"]
        for row in made.rows
        if row["claimants"] is not None
    }
    tell(f"{len(told)} of {len(made.rows)} cells told, {MANY} people as {told}")
    with pytest.raises(ReleaseError, match=SPENT):
        releases.release(home, Quarter(2026, 2), 1.6)


def test_the_clause_bounds_what_one_person_adds(placed: Placed) -> None:
    """With hardly any noise: the one who claims everywhere is in few cells, others in theirs."""
    standin, home = placed
    target = home.bigquery
    assert target is not None
    sql = clause(_claims(Q1, public_cells("eu")), POLICY, 1e6).replace(
        "silver.", f"{target.layer('silver')}."
    )
    rows = [tuple(row.values()) for row in client_of(standin, target.location).query_and_wait(sql)]
    told = {(claim_type, region): count for claim_type, region, count in rows}
    assert told["auto", "de"] in (MANY, MANY + 1)
    assert sum(told.values()) <= MANY + POLICY.cells_per_person
