"""A home that lands on the stand-in, and dbt against it with the project's own BigQuery target."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import yaml
from conftest import PROJECT, run_dbt
from standin import StandIn

from loaders.home import Home
from loaders.leases import leased
from loaders.sinks.bigquery.setup import init_bigquery_home

CLOUD_PROJECT = "stand-in"
NOWHERE = "/a-home-that-is-nowhere"  # of bronze that BigQuery has, no path is in what dbt reads
PARSED, PARTIAL = PROJECT / ".cache" / "parsed", "partial_parse.msgpack"
# How to reach the stand-in; all else of a target is as profiles.yml has it.
REACHED = {"method": "oauth-secrets", "token": "not-a-token", "job_retries": 0}


def bigquery_home(folder: Path, residency: str = "eu") -> Home:
    """A home on the stand-in that BIGQUERY_EMULATOR_HOST names, with datasets, tables and keys."""
    return init_bigquery_home(folder, residency, CLOUD_PROJECT)[0]


def run_dbt_on(
    standin: StandIn, home: Home, *arguments: str, check: bool = True
) -> subprocess.CompletedProcess[str]:
    """Run dbt with the BigQuery target of the home's residency, against the stand-in.

    What was parsed for one home is given to the next: nothing that dbt reads has its path in it.
    """
    target = f"bigquery_{home.residency}"
    known, own = PARSED / target / PARTIAL, home.path / "target" / PARTIAL
    with leased(known.parent):
        if known.exists() and not own.exists():
            own.parent.mkdir(exist_ok=True)
            shutil.copy(known, own)
    result = run_dbt(
        home,
        *arguments,
        *("--target", target, "--profiles-dir", str(profiles(home))),
        check=check,
        ASSAY_HOME=NOWHERE,
        ASSAY_BIGQUERY_PROJECT=CLOUD_PROJECT,
        BIGQUERY_EMULATOR_HOST=standin.endpoint,
    )
    if own.exists() and "--project-dir" not in arguments:
        with leased(known.parent):
            known.parent.mkdir(exist_ok=True)
            shutil.copy(own, known)
    return result


def profiles(home: Home) -> Path:
    """A folder with the project's profile whose BigQuery targets reach the stand-in.

    Where that is, Google's client reads from the environment.
    """
    profile = yaml.safe_load((PROJECT / "profiles.yml").read_text(encoding="utf-8"))
    for target in profile["assay"]["outputs"].values():
        if target["type"] == "bigquery":
            del target["keyfile"]
            target.update(REACHED)
    folder = home.path / "profiles"
    folder.mkdir(exist_ok=True)
    (folder / "profiles.yml").write_text(yaml.safe_dump(profile), encoding="utf-8")
    return folder
