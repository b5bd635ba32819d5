"""What a home's `permissions.yml` comes to on BigQuery: a role on a dataset for each account.

BigQuery has no right to rotate or to erase, but to write where that is done. So a permission
becomes the rights that its work needs there, and nothing that the file does not name is given.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from loaders.errors import AssayError
from loaders.home import Home, Target
from loaders.permissions import Permissions, read_permissions
from loaders.sinks.bigquery import datasets
from loaders.sinks.bigquery.datasets import EDITOR, VIEWER
from loaders.sinks.bigquery.errors import Call
from loaders.sinks.bigquery.service import Service

# Layers by permission, `main` being what dbt remembers. All write bronze: the audit log is there.
_NEEDS: dict[str, dict[str, str]] = {
    "create_experiments": {"bronze": EDITOR},
    "erase": {"bronze": EDITOR, "silver": EDITOR, "gold_restricted": EDITOR},
    "expire": {"bronze": EDITOR},
    "explain": {"bronze": EDITOR, "silver": VIEWER},
    "export": {"bronze": EDITOR, "gold": VIEWER},
    "release": {"bronze": EDITOR, "silver": VIEWER, "main": VIEWER},
    "rotate": {"bronze": EDITOR, "silver": VIEWER, "main": VIEWER, "vault": EDITOR},
    "run_replays": {"bronze": EDITOR},
}
_AGAIN = "Run assay permissions --apply again: it goes on where it stopped."


@dataclass(frozen=True, slots=True, order=True)
class Grant:
    """A role on a dataset. `account` is an e-mail address, with `group:` before that of a group."""

    dataset: str
    account: str
    role: str

    def statement(self, project: str) -> str:
        """The grant in SQL."""
        kind, _, email = self.account.rpartition(":")
        if not kind:
            kind = "serviceAccount" if email.endswith(".gserviceaccount.com") else "user"
        return f"grant `{self.role}` on schema `{project}`.`{self.dataset}` to '{kind}:{email}';"


def grants_of(permissions: Permissions, target: Target) -> list[Grant]:
    """What the file yields: for each account and dataset the one role that covers all it needs."""
    roles: dict[tuple[str, str], str] = {}
    for account, layer, role in _needed(permissions):
        dataset = target.dataset if layer == "main" else target.layer(layer)
        if roles.get((dataset, account)) != EDITOR:
            roles[dataset, account] = role
    return sorted(Grant(dataset, account, role) for (dataset, account), role in roles.items())


def apply(home: Home, target: Target) -> list[Grant]:
    """Give what the file yields, and return it. What is there already stays. Raises AssayError."""
    grants = grants_of(read_permissions(home.path), target)
    service = Service(target, home.residency)
    for name in sorted({grant.dataset for grant in grants}):
        owner = f"roles/bigquery.dataOwner on dataset {name}"
        call = Call(f"dataset {name}", owner, _AGAIN)
        dataset = service.dataset(name, call)
        if dataset is None:
            raise AssayError(f"There is no dataset {name} yet. Run: assay init --bigquery PROJECT")
        wanted = [(grant.account, grant.role) for grant in grants if grant.dataset == name]
        datasets.close(service, dataset, call, wanted)
    return grants


def _needed(permissions: Permissions) -> Iterator[tuple[str, str, str]]:
    for permission, layers in _NEEDS.items():
        for account in permissions.accounts(permission):
            for layer, role in layers.items():
                yield account, layer, role
