"""A home that lands on the stand-in, and dbt against it with the project's own BigQuery target."""

from __future__ import annotations

import subprocess
from pathlib import Path

import yaml
from conftest import PROJECT, run_dbt
from standin import StandIn

from loaders.home import Home
from loaders.sinks.bigquery.setup import init_bigquery_home

CLOUD_PROJECT = "stand-in"
# How to reach the stand-in; all else of a target is as profiles.yml has it.
REACHED = {"method": "oauth-secrets", "token": "not-a-token", "job_retries": 0}


def bigquery_home(folder: Path, residency: str = "eu") -> Home:
    """A home on the stand-in that BIGQUERY_EMULATOR_HOST names, with datasets, tables and keys."""
    return init_bigquery_home(folder, residency, CLOUD_PROJECT)[0]


def run_dbt_on(
    standin: StandIn, home: Home, *arguments: str, check: bool = True
) -> subprocess.CompletedProcess[str]:
    """Run dbt with the BigQuery target of the home's residency, against the stand-in."""
    return run_dbt(
        home,
        *arguments,
        *("--target", f"bigquery_{home.residency}", "--profiles-dir", str(profiles(standin, home))),
        check=check,
        ASSAY_BIGQUERY_PROJECT=CLOUD_PROJECT,
    )


def profiles(standin: StandIn, home: Home) -> Path:
    """A folder with the project's profile whose BigQuery targets reach the stand-in."""
    profile = yaml.safe_load((PROJECT / "profiles.yml").read_text(encoding="utf-8"))
    for target in profile["assay"]["outputs"].values():
        if target["type"] == "bigquery":
            del target["keyfile"]
            target.update(REACHED, api_endpoint=standin.endpoint)
    folder = home.path / "profiles"
    folder.mkdir(exist_ok=True)
    (folder / "profiles.yml").write_text(yaml.safe_dump(profile), encoding="utf-8")
    return folder
