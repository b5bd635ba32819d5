"""Rotation: a new key, and silver carried over to it.

The vault is the decision: once it holds the new key, every later build carries silver over before
its first model runs (macro `rekey_silver`). So this may be killed at any point.
"""

from __future__ import annotations

from loaders import audit, vault
from loaders.audit.rights import refuse_denied
from loaders.gold.dbt_run import run_dbt
from loaders.gold.runs import recorded
from loaders.gold.turns import WAIT_SECONDS, writing
from loaders.gold.warehouse import reading
from loaders.home import Home
from loaders.sinks import google_library

_REKEY = ["run-operation", "rekey_silver"]


def rotate(home: Home, wait: float = WAIT_SECONDS) -> vault.KeyInfo:
    """Retire the live key, make a new one and carry all of silver over to it.

    Raises AssayError when whoever acts may not rotate, when another process holds the home for
    longer than `wait` seconds, or when silver could not be carried over; the next build then does
    it. Silver on BigQuery is always left to the next build.
    """
    refuse_denied(home, "rotate")
    with (
        writing(home, wait, "rotation of the key"),
        recorded(home, "rotate", ("vault", "Rotation of the key")),
    ):
        if home.bigquery:
            return _rotate_on_bigquery(home)
        is_built = home.warehouse.exists()
        if is_built:  # silver that the vault does not fit is refused before there is a new key
            run_dbt(home, _REKEY)
        key = _audited_key(home)
        if is_built:
            run_dbt(home, _REKEY)
    return key


def _rotate_on_bigquery(home: Home) -> vault.KeyInfo:
    """The next build carries silver over; until then it may not run with any other key."""
    with google_library():
        from loaders.sinks.bigquery import keys, sink  # noqa: PLC0415 - only who lands there

    service = sink.service_of(home)
    keys.settle(service, home)  # a rotation from elsewhere comes first
    key = _audited_key(home)
    keys.upload(service, home)
    return key


def _audited_key(home: Home) -> vault.KeyInfo:
    """A new live key. The audit log has it first: a rotation that it lacks would be worse."""
    newest = max((key.version for key in vault.keys(home.vault)), default=0)
    change = {"field": "live key", "old_value": newest, "new_value": newest + 1}
    audit.append(home, "key_rotation", config_change=change)
    return vault.add_key(home.vault, home.residency)


def key_of_silver(home: Home) -> tuple[bool, str | None]:
    """Whether there is silver, and the id of the key that it was made with, where that is noted.

    Raises AssayError while another process has the warehouse.
    """
    if home.bigquery is None and not home.warehouse.exists():
        return False, None
    with reading(home) as warehouse:
        there = warehouse.tables()
        made_with = (
            warehouse.query("select key_id from main.silver_key").to_pylist()
            if "main.silver_key" in there
            else []
        )
    has_silver = any(table.startswith("silver.") for table in there)
    return has_silver, str(made_with[0]["key_id"]) if made_with else None
