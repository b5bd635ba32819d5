"""The `assay` command: thin layers over the modules of `loaders`.

Exit codes: 0 done, 1 refused, unbalanced or failed, 2 wrong usage.
"""

from __future__ import annotations

import click

from loaders.cli.audit import audit_group
from loaders.cli.check import check_batches
from loaders.cli.collect import collect, token_group
from loaders.cli.common import Commands
from loaders.cli.compact import compact_bronze
from loaders.cli.contracts import contracts_group
from loaders.cli.dashboards import dashboards_group
from loaders.cli.erase import erase_person
from loaders.cli.explain import explain_decision
from loaders.cli.gold import combine_gold, publish_gold, refresh_gold
from loaders.cli.home import demo_data, init, show_status
from loaders.cli.land import land
from loaders.cli.ledger import ledger
from loaders.cli.metrics import show_metrics
from loaders.cli.permissions import show_permissions
from loaders.cli.rebuild import rebuild_days
from loaders.cli.release import release_report
from loaders.cli.replay import replay_letters
from loaders.cli.report import report
from loaders.cli.retain import retain_home
from loaders.cli.suppression import explain_suppression
from loaders.cli.vault import vault_group


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="assay-lakehouse")
def main() -> None:
    """Land events, build anonymized gold, publish it."""


for command in (
    init,
    demo_data,
    land,
    ledger,
    check_batches,
    collect,
    token_group,
    compact_bronze,
    contracts_group,
    publish_gold,
    refresh_gold,
    combine_gold,
    rebuild_days,
    erase_person,
    replay_letters,
    retain_home,
    show_status,
    show_metrics,
    explain_decision,
    explain_suppression,
    vault_group,
    audit_group,
    show_permissions,
    report,
    release_report,
    dashboards_group,
):
    main.add_command(command)
