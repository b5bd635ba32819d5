"""What landing would refuse for sure, found in microseconds, before an event is answered.

Nothing here is stricter than landing: what passes is validated in full when it lands, and the order
of the checks is that of landing/validation.py.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator
from typing import Any

from loaders.collector.bodies import is_unreadable
from loaders.collector.frames import Event
from loaders.collector.payloads import Payloads
from loaders.collector.tokens import Token
from loaders.contracts import Column, Contract
from loaders.contracts.events import load_events
from loaders.contracts.vocabulary import read_vocabulary
from loaders.landing.casts import TIMES
from loaders.landing.numbered import numbered
from loaders.landing.validation import MAX_RECORD_BYTES
from loaders.residencies import residency_by_region

Check = Callable[[Any], str | None]  # what is wrong with a value, None where that is not sure

_TIME = re.compile("|".join(TIMES))
_NO_WORD = re.compile("[^a-z0-9]+")
_INT64 = 1 << 63
_STRUCTURES, _NO_NUMBER = (dict, list), (bool, dict, list)
_EVENT_ID_LENGTH = 256  # as landing keeps it


class Checks:
    """The checks of one table, made once. A verdict is a code, a space and a pointer."""

    def __init__(self, contract: Contract, residency: str) -> None:
        self.contract, self._residency = contract, residency
        columns = contract.sent_columns
        self._key = contract.column(contract.key).spellings
        named = {column.name: column.spellings for column in columns}
        self._tenant, self._region = named.get("tenant_id"), named.get("region")
        self._producer, self._sequence = named.get("producer", ()), named.get("sequence", ())
        self._never = frozenset(
            name for c in contract.columns if c.privacy == "never" for name in c.spellings
        )
        self._taken = self._never.union(*named.values())
        self._required = [
            (c.spellings, f"envelope_violation /{c.name}", _excuse(c.required_unless, named))
            for c in columns
            if c.required or c.required_unless
        ]
        self._checks = [(c.spellings, check) for c in columns for check in _checks_of(c)]
        self._of_field: dict[str, list[Check]] = {name: [] for name in self._taken}
        for spellings, check in self._checks:
            for name in spellings:
                self._of_field[name].append(check)
        self._payloads = Payloads(contract, load_events()) if contract.payload else None
        self._salt = contract.table.encode()[:16]

    def judge(self, raw: bytes, value: Any, token: Token) -> Event:
        """An event as it will be stored."""
        verdict = self._verdict(raw, value, token)
        if verdict is None:
            digest = hashlib.blake2b(raw, digest_size=16, person=self._salt).digest()
            return Event(raw, digest=digest)
        code, _, pointer = verdict.partition(" ")
        if code == "residency_violation":
            return Event(None, code, pointer)  # of that person, nothing may be here
        kept = None if code == "pii_forbidden" else raw
        if not isinstance(value, dict):
            return Event(kept, code, pointer or None)
        sent = _sent(value, self._producer), _sent(value, self._sequence)
        producer, sequence = numbered(*sent)
        return Event(
            kept,
            code,
            pointer or None,
            self._event_id(value),
            producer=producer,
            sequence=sequence,
        )

    def _verdict(self, raw: bytes, value: Any, token: Token) -> str | None:
        if is_unreadable(value) or not isinstance(value, dict):
            return "payload_malformed"
        return self._unlandable(value, token) or self._fault(raw, value)

    def _unlandable(self, value: dict[str, Any], token: Token) -> str | None:
        """Why nothing of the event may be here."""
        if not self._never.isdisjoint(value):
            return "pii_forbidden"
        forbidden = self._payloads.forbidden(value) if self._payloads else None
        return forbidden or self._foreign(value, token)

    def _fault(self, raw: bytes, value: dict[str, Any]) -> str | None:
        """What is wrong with it, the first that landing would tell."""
        if len(raw) > MAX_RECORD_BYTES:
            return "size_violation"
        for spellings, verdict, (others, excused) in self._required:
            sent = _sent(value, spellings)
            is_absent = sent is None or (isinstance(sent, str) and not sent.strip(" "))
            if is_absent and _sent(value, others) not in excused:
                return verdict
        odd = self._verdict_of_columns(value) if self._is_odd(value) else None
        return odd or (self._payloads.misfit(value) if self._payloads else None)

    def _is_odd(self, value: dict[str, Any]) -> bool:
        """Whether any field is wrong on its own. Of most events none is, and this is quick."""
        of_field, takes_all = self._of_field, self.contract.overflow is not None
        for name, sent in value.items():
            checks = of_field.get(name)
            if checks is None:
                if not takes_all:
                    return True
                continue
            for check in checks:
                if check(sent):
                    return True
        return False

    def _verdict_of_columns(self, value: dict[str, Any]) -> str | None:
        """The same in the order of landing: the first spelling with a value is the column's."""
        for spellings, check in self._checks:
            verdict = check(_sent(value, spellings))
            if verdict:
                return verdict
        if self.contract.overflow is None:
            for name, sent in value.items():
                if sent is not None and name not in self._taken:
                    return "schema_violation"
        return None

    def _foreign(self, value: dict[str, Any], token: Token) -> str | None:
        """Whether the event belongs to another brand, or must not be in this home."""
        tenant = _sent(value, self._tenant) if self._tenant else None
        if token.tenant and tenant is not None and tenant != token.tenant:
            return "tenant_unknown /tenant_id"
        region = _sent(value, self._region) if self._region else None
        if isinstance(region, str) and region.strip():
            word = region.strip().lower()
            is_elsewhere = residency_by_region().get(word, self._residency) != self._residency
            if is_elsewhere or (token.regions and word not in token.regions):
                return "residency_violation /region"
        return None

    def _event_id(self, value: dict[str, Any]) -> str | None:
        sent = _sent(value, self._key)
        if not isinstance(sent, str):
            return None
        return sent[:_EVENT_ID_LENGTH].encode("utf-8", "replace").decode()


def _sent(value: dict[str, Any], spellings: tuple[str, ...]) -> Any:
    for name in spellings:
        sent = value.get(name)
        if sent is not None:
            return sent
    return None


def _excuse(
    required_unless: tuple[str, ...], named: dict[str, tuple[str, ...]]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The spellings of the column that may excuse an absence, and the values that do."""
    return (named[required_unless[0]], required_unless[1:]) if required_unless else ((), ())


def _checks_of(column: Column) -> Iterator[Check]:
    """What is wrong with a column for sure, in microseconds. Whatever is not sure passes."""
    place = f" /{column.name}"
    ill_typed = ("envelope_violation" if column.required else "schema_violation") + place

    if column.data_type == "timestamp":

        def time(sent: Any) -> str | None:
            if sent is None or (isinstance(sent, str) and _TIME.fullmatch(sent.strip(" "))):
                return None
            return "time_violation" + place

        yield time
    elif column.data_type == "int64":

        def whole(sent: Any) -> str | None:
            if sent is None or isinstance(sent, str):
                return None
            if isinstance(sent, float):
                return None if sent.is_integer() else ill_typed
            if isinstance(sent, _NO_NUMBER) or not -_INT64 <= sent < _INT64:
                return ill_typed
            if column.min is not None and sent < column.min:
                return "schema_violation" + place
            if column.max is not None and sent > column.max:
                return "schema_violation" + place
            return None

        yield whole
    elif column.data_type == "string" and not column.structured:

        def plain(sent: Any) -> str | None:
            return ill_typed if isinstance(sent, _STRUCTURES) else None

        yield plain
        if column.vocabulary and column.unknown is None:
            yield _word_check(column, "schema_violation" + place)


def _word_check(column: Column, verdict: str) -> Check:
    spellings = read_vocabulary()[column.vocabulary or ""]
    values = frozenset(spellings.values())

    def word(sent: Any) -> str | None:
        # Only of ASCII is it sure that DuckDB's lower case is the one here.
        if not isinstance(sent, str) or not sent.isascii() or sent in values:
            return None
        return None if _NO_WORD.sub("_", sent.lower()).strip("_") in spellings else verdict

    return word
