"""Refusing what whoever acts may not do, and saying so in the audit log."""

from __future__ import annotations

from loaders import audit
from loaders.home import Home
from loaders.identity import system_user, user
from loaders.permissions import (
    CODE,
    FILE,
    PERMISSIONS,
    PermissionDenied,
    read_permissions,
)

# Tables whose rows are more than events: who lands one sets something up.
_OF_TABLES = {"experiments": "create_experiments", "replay_scenarios": "run_replays"}


def refuse_denied(home: Home, permission: str) -> None:
    """Raise PermissionDenied unless all who act may: the account, and whom ASSAY_USER names.

    The account alone is proven. Who it acts for can only lose by being named.
    """
    try:
        permissions = read_permissions(home.path)
        for name in (system_user(), user()):
            if not permissions.allows(permission, name):
                raise PermissionDenied(
                    f"{CODE}: {name} may not {permission.replace('_', ' ')} in {home.path}. "
                    f"Whoever reviews its {FILE} can add the name to {permission}."
                )
    except PermissionDenied:
        said = {"refused": CODE, "permission": permission}
        audit.append(home, PERMISSIONS[permission], result_summary=said)
        raise


def refuse_landing(home: Home, table: str) -> None:
    """The same for a table that not everybody may land in. What is landed there is audited."""
    permission = _OF_TABLES.get(table)
    if permission:
        refuse_denied(home, permission)
        audit.append(home, PERMISSIONS[permission], query_params={"table": table})
