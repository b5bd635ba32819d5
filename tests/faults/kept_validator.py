"""A validator that is kept for all landings of a process, as a collector's is: half their time."""

from __future__ import annotations

from loaders.contracts import Contract
from loaders.landing.mapping import Mapping
from loaders.landing.validator import Validator

_KEPT: dict[tuple[str, str, str], Validator] = {}


def kept_validator(contract: Contract, mapping: Mapping, residency: str) -> Validator:
    """In the place of `Validator`."""
    key = (contract.table, mapping.digest, residency)
    if key not in _KEPT:
        _KEPT[key] = _Kept(contract, mapping, residency)
    return _KEPT[key]


class _Kept(Validator):
    def __exit__(self, *_: object) -> None:
        """It stays open."""
