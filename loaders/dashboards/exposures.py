"""Dashboards as dbt's exposures, so that its lineage ends where people read."""

from __future__ import annotations

import yaml

from loaders.dashboards.declared import Dashboard
from loaders.dashboards.sql import marts_in

_HEAD = "# Written by: assay dashboards exposures > models/dashboards.yml\n"
# A dashboard may read marts of domains that are not built.
_ENABLED = "{{ env_var('ASSAY_DOMAINS', '') == '' }}"


def exposures(dashboards: list[Dashboard]) -> str:
    """The yml of all dashboards."""
    entries = [
        {
            "name": f"dashboard_{dashboard.slug}",
            "label": dashboard.title,
            "type": "dashboard",
            "maturity": "high",
            "description": dashboard.text,
            "owner": {"name": " and ".join(dashboard.access)},
            "depends_on": [f"ref('{mart}')" for mart in _marts(dashboard)],
            "config": {"enabled": _ENABLED},
        }
        for dashboard in dashboards
    ]
    document = {"version": 2, "exposures": entries}
    return _HEAD + yaml.safe_dump(document, sort_keys=False, width=100, allow_unicode=True)


def _marts(dashboard: Dashboard) -> list[str]:
    return sorted({mart for one in dashboard.queries for mart in marts_in(one.sql)})
