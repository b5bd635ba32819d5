"""What `pipeline_runs` says a run failed with is explained in the seed of error codes."""

from __future__ import annotations

import csv
import re

from conftest import PROJECT

from loaders.gold import runs

# Why a publication is refused; its run says `publish_failed`.
OF_AUDIENCES = {"audience_refused"}
# Why a release is refused; no run is recorded of it.
OF_RELEASES = {"privacy_budget_spent", "release_exists", "release_not_closed"}
STAGE = re.compile(r'\brecorded\(\s*home, "(\w+)"')


def test_the_seed_has_every_code_of_a_run_and_no_other():
    """`<stage>_failed` of each stage that the code records, and those that are of no stage."""
    code = "".join(p.read_text(encoding="utf-8") for p in (PROJECT / "loaders").rglob("*.py"))
    stages = set(STAGE.findall(code))
    assert stages >= {"build", "publish", "rotate"}
    expected = {f"{stage}_failed" for stage in stages} | {
        runs.KILLED,
        runs.STOPPED,
        runs.TURN_TAKEN,
    }
    with (PROJECT / "seeds" / "error_codes.csv").open(encoding="utf-8", newline="") as seed:
        found = {row["code"] for row in csv.DictReader(seed) if row["stage"] == "pipeline"}
    assert found == expected | OF_RELEASES | OF_AUDIENCES
