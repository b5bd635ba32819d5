"""A validator that is kept for all landings of a process, as a collector's is: half their time.

Tests that import `one_validator` land with it. It is not for who changes what validators are of.
"""

from __future__ import annotations

import pytest

from loaders.contracts import Contract
from loaders.landing.mapping import Mapping
from loaders.landing.validator import Validator

_KEPT: dict[tuple[str, str, str], Validator] = {}


@pytest.fixture(autouse=True)
def one_validator(monkeypatch: pytest.MonkeyPatch) -> None:
    """What lands in this process is validated by one and the same."""
    monkeypatch.setattr("loaders.landing.batches.Validator", _kept)


def _kept(contract: Contract, mapping: Mapping, residency: str) -> Validator:
    """Keys that are derived are told apart within a file, so those validators are not kept."""
    key = (contract.table, mapping.digest, residency)
    if key in _KEPT:
        return _KEPT[key]
    if mapping.event_id_from is not None:
        return Validator(contract, mapping, residency)
    return _KEPT.setdefault(key, _Kept(contract, mapping, residency))


class _Kept(Validator):
    def __exit__(self, *_: object) -> None:
        """It stays open."""
