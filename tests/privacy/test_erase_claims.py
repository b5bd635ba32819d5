"""After an erasure no row stands for a claim of the person, in no mart and in no release."""

from __future__ import annotations

import hmac
import json
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pytest
from conftest import MODELS_ONLY, run_dbt
from test_pseudonyms import vault_key

from loaders.erasure import erase as erasure
from loaders.erasure import silver
from loaders.erasure.subject import Subject
from loaders.gold.publish import publish
from loaders.home import Home, init_home
from loaders.landing.batches import land_file

pytestmark = pytest.mark.usefixtures("artifacts")

PEOPLE = 14
PERSON = Subject.of("customer_id", ["jane-0003"])
MARTS = {"claim_events": "claim_id_hash", "fraud_training_set": "example_id"}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """Claims of one day, each submitted by somebody else and verified, built and published."""
    folder = tmp_path_factory.mktemp("claims")
    home = init_home(folder / "home")[0]
    day = (datetime.now(UTC) - timedelta(days=40)).replace(hour=12).isoformat()
    rows = [
        {"event_id": f"{event_type}-{n}", "event_type": event_type, "timestamp": day}
        | {"partner_id": "p", "claim_id": f"claim-{n}"}
        | ({"customer_id": f"jane-{n:04}"} if event_type == "claim_submitted" else {})
        for n in range(PEOPLE)
        for event_type in ("claim_submitted", "claim_verified")
    ]
    file = folder / "claims.jsonl"
    file.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    land_file(home, "claim_events", file)
    marts = [f"+{mart}" for mart in MARTS]
    run_dbt(home, "build", "--select", *marts, *MODELS_ONLY)
    publish(home)
    return home


@pytest.fixture
def home(made: Home, tmp_path: Path) -> Home:
    shutil.copytree(made.path, tmp_path / "home", symlinks=True)
    return Home(tmp_path / "home")


def claims_in(home: Home) -> dict[str, set[str]]:
    """Pseudonyms of claims, by mart, in the warehouse and in the release."""
    found = {}
    with duckdb.connect(str(home.warehouse), read_only=True) as warehouse:
        for mart, column in MARTS.items():
            (file,) = home.restricted.rglob(f"releases/**/{mart}.parquet")
            for place in (f"gold_restricted.{mart}", f"'{file}'"):
                rows = warehouse.execute(f"select distinct {column} from {place}").fetchall()
                found[f"{mart} in {place[:4]}"] = {pseudonym for (pseudonym,) in rows}
    return found


def pseudonym(home: Home, mart: str) -> str:
    """What the person's claim is called there, by Python's hmac."""
    key, found = vault_key(home, 1), "p\x1fclaim-3"
    for domain in ("claims.claim_id", f"restricted.{mart}"):
        message = f"{domain}\x1f{found}".encode()
        found = "v1:" + hmac.new(key, message, "sha256").hexdigest()
    return found


def test_rows_of_the_claim_go_at_once(home: Home) -> None:
    before = claims_in(home)
    (result,) = erasure.erase(home, PERSON)
    assert result.found == []
    after = claims_in(home)
    for place, claims in before.items():
        assert len(claims) == PEOPLE
        assert claims - after[place] == {pseudonym(home, place.split()[0])}


def test_an_erasure_that_knows_no_claims_is_seen(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(silver, "entities_of", lambda *_: set())
    before = claims_in(home)
    erasure.erase(home, PERSON)
    assert claims_in(home) == before
