"""The project as dbt reads it, once, for a home that is nowhere.

A run puts its own home in: that is in the place of the sources alone.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any
from unittest import mock

from dbt.cli.main import dbtRunner

PROJECT = Path(__file__).resolve().parent.parent
NOWHERE = "/a-home-that-is-nowhere"
# One for each process of a run, so that none reads what another one is writing.
FOLDER = PROJECT / ".cache" / f"parsed-{os.environ.get('PYTEST_XDIST_WORKER', 'alone')}"


def _parsed() -> Any:
    before = Path.cwd()
    artifacts = {"DBT_TARGET_PATH": str(FOLDER), "DBT_LOG_PATH": str(FOLDER)}
    try:
        os.chdir(PROJECT)
        with mock.patch.dict(os.environ, artifacts | {"ASSAY_HOME": NOWHERE}):
            return dbtRunner().invoke(["--quiet", "parse"]).result
    finally:
        os.chdir(before)


MANIFEST = _parsed()


def manifest_of(home: str) -> Any:
    """The manifest, changed to that of a home. Of use once in a process."""
    for source in MANIFEST.sources.values():
        source.relation_name = source.relation_name.replace(NOWHERE, home)
        for meta in (source.meta, source.config.meta):
            meta["external_location"] = meta["external_location"].replace(NOWHERE, home)
    return MANIFEST
