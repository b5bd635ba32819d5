"""The demo as it is published, once for all test files here."""

from __future__ import annotations

import shutil

import pytest
from conftest import Demo, shared_folder

from loaders.gold.publish import publish
from loaders.home import Home
from loaders.leases import leased


@pytest.fixture(scope="session")
def published(demo: Demo, tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A home with the published gold of the demo. Read it."""
    folder = shared_folder(tmp_path_factory) / "published-demo"
    home, done = Home(folder / "home"), folder / "done"
    with leased(folder):
        if not done.exists():
            shutil.rmtree(folder, ignore_errors=True)
            left = shutil.ignore_patterns("bronze", "demo", "target", "logs")
            shutil.copytree(demo.home.path, home.path, ignore=left)
            publish(home)
            home.warehouse.unlink()
            done.touch()
    return home
