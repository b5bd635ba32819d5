"""The same comparison against BigQuery itself, for whoever has a project and credentials.

    ASSAY_LIVE_BIGQUERY=my-project pytest tests/parity/test_live.py

Makes datasets of its own in europe-west1 and deletes them; a few megabytes are read.
"""

from __future__ import annotations

import os
import random
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import run_dbt
from google.cloud import bigquery
from inputs import write_batches
from sameness import differences

from loaders.home import Home, init_home
from loaders.landing.batches import land_file
from loaders.sinks.bigquery.setup import init_bigquery_home

PROJECT = os.environ.get("ASSAY_LIVE_BIGQUERY")
pytestmark = pytest.mark.skipif(
    not PROJECT, reason="runs on BigQuery itself: set ASSAY_LIVE_BIGQUERY to a project of yours"
)
LAYERS = ("", "_bronze", "_silver", "_gold", "_gold_restricted", "_vault")


@pytest.fixture
def dataset() -> Iterator[str]:
    """A name for datasets, which are deleted afterwards."""
    name = f"assay_test_{secrets.token_hex(4)}"
    yield name
    client = bigquery.Client(project=PROJECT)
    for layer in LAYERS:
        client.delete_dataset(f"{name}{layer}", delete_contents=True, not_found_ok=True)


def test_bigquery_agrees(dataset: str, tmp_path: Path) -> None:
    seed = random.SystemRandom().randrange(2**32)
    print(f"events made with seed {seed}")
    files = write_batches(tmp_path / "events", seed, 1000)
    duck, _ = init_home(tmp_path / "duck")
    folder = tmp_path / "big"
    folder.mkdir()
    shutil.copy(duck.vault, folder / duck.vault.name)
    big, _ = init_bigquery_home(folder, "eu", str(PROJECT), dataset)
    for batch in (0, 1):
        for home in (duck, big):
            for table, batches in files.items():
                land_file(home, table, batches[batch])
        run_dbt(duck, "build")
        build_live(big, dataset)
        compared, differing = differences(duck, bigquery.Client(project=PROJECT), dataset)
        assert compared
        assert differing == []


def build_live(home: Home, dataset: str) -> None:
    """Build with the project's own target, as docs/bigquery.md has it."""
    target = ["--target", f"bigquery_{home.residency}"]
    environment = {"ASSAY_BIGQUERY_PROJECT": str(PROJECT), "ASSAY_BIGQUERY_DATASET": dataset}
    run_dbt(home, "build", *target, **environment)
