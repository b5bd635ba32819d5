"""The project as dbt reads it for a home that is nowhere: once whole, once of one domain alone.

A run puts its own home in: that is in the place of the sources alone.
"""

from __future__ import annotations

import gc
import os
from pathlib import Path
from typing import Any
from unittest import mock

from dbt.cli.main import dbtRunner

from loaders.leases import leased

PROJECT = Path(__file__).resolve().parent.parent
NOWHERE = "/a-home-that-is-nowhere"
# What one process has parsed, the next one need not.
FOLDER = PROJECT / ".cache" / "parsed"
DOMAINS = ["", "access"]  # as ASSAY_DOMAINS has them
# Two processes that begin together each begin with another.
if os.environ.get("PYTEST_XDIST_WORKER", "")[-1:] in {*"13579"}:
    DOMAINS.reverse()


def _parsed(domains: str) -> Any:
    before = Path.cwd()
    folder = FOLDER / (domains or "all")
    wanted = {
        "ASSAY_HOME": NOWHERE,
        "ASSAY_DOMAINS": domains,
        "DBT_TARGET_PATH": str(folder),
        "DBT_LOG_PATH": str(folder),
    }
    try:
        os.chdir(PROJECT)
        with leased(folder), mock.patch.dict(os.environ, wanted):
            return dbtRunner().invoke(["--quiet", "parse"]).result
    finally:
        os.chdir(before)


MANIFESTS = {domains: _parsed(domains) for domains in DOMAINS}
gc.freeze()  # no child looks through all this for garbage


def manifest_of(home: str, domains: str) -> Any:
    """The manifest of some domains, changed to that of a home. Of use once in a process."""
    manifest = MANIFESTS[domains]
    for source in manifest.sources.values():
        source.relation_name = source.relation_name.replace(NOWHERE, home)
        for meta in (source.meta, source.config.meta):
            meta["external_location"] = meta["external_location"].replace(NOWHERE, home)
    return manifest
