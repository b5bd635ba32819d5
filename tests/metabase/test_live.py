"""The same against a Metabase of yours: ASSAY_METABASE_LIVE_URL, with credentials for it.

It leaves the dashboards there. Use one that is empty.
"""

from __future__ import annotations

import os

import pytest
from gold import published

from loaders.dashboards.declared import read_dashboards
from loaders.dashboards.server.apply import apply, plan
from loaders.home import Home

__all__ = ["published"]
URL = os.environ.get("ASSAY_METABASE_LIVE_URL", "")


@pytest.mark.skipif(not URL, reason="no Metabase here: set ASSAY_METABASE_LIVE_URL")
def test_a_real_metabase_is_made_what_the_files_say(
    published: Home, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("ASSAY_METABASE_URL", URL)
    apply(published, read_dashboards())
    assert [str(change) for change in plan(published, read_dashboards()).changes] == []
    assert apply(published, read_dashboards()).changes == []
