"""Who is to be erased: what a value looks like where it was kept, and its pseudonyms."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from urllib.parse import quote

import pyarrow as pa
import pyarrow.compute as pc

from loaders.contracts import load_contracts
from loaders.erasure.encoded import SHORTEST, decoded, encoded_forms
from loaders.errors import AssayError
from loaders.gold.marts import models_of
from loaders.vault import Key

PHONE = "phone"

_SPACE = r"[\s\x00-\x1f\x7f]*"
_BEFORE = r"(?:^|[^A-Za-z0-9._%+-]|%[0-9A-Fa-f]{2}|\\[nrt])"
_AFTER = r"(?:$|[^A-Za-z0-9-])"
_BETWEEN_DIGITS = r"(?:[ ()./-]|%20)*"
_UNIT_SEPARATOR = "\x1f"


def kinds() -> list[str]:
    """What a person may be known by: the columns that contracts name as their subject."""
    return sorted({column for contract in load_contracts().values() for column in contract.subject})


@dataclass(frozen=True)
class Subject:
    """One person, by one or more values of a kind."""

    kind: str
    values: tuple[str, ...]

    @classmethod
    def of(cls, kind: str, values: Iterable[str]) -> Subject:
        """Raises AssayError, without the value, where there is nothing to look for."""
        given = tuple(dict.fromkeys(value.strip() for value in values if value.strip()))
        if not given:
            raise AssayError(f"No {kind} was given. Put it on standard input, one on a line.")
        if kind == PHONE and not all(any(map(str.isdigit, value)) for value in given):
            raise AssayError("A phone number has digits, and one that was given has none.")
        return cls(kind, given)

    @cached_property
    def column_pattern(self) -> str:
        """What a column of this kind holds, as RE2: silver takes the same spellings for one."""
        if self.kind == PHONE:
            found = ["^[^0-9]*" + "[^0-9]*".join(_digits(v)) + "[^0-9]*$" for v in self.values]
        else:
            found = [
                f"^{_SPACE}" + _SPACE.join(map(re.escape, _squeezed(v))) + f"{_SPACE}$"
                for v in self.values
            ]
        return "|".join(found)

    @cached_property
    def text_pattern(self) -> str | None:
        """The value within texts, as RE2; None where it is too short for that."""
        return "|".join(map(self._in_texts, self._spelled)) or None

    def is_in(self, data: bytes) -> bool:
        """Whether bytes hold the value: as it is, in UTF-16, percent-encoded, base64 or hex."""
        return bool(pc.any(self.in_bytes(pa.array([data], pa.large_binary()))).as_py())

    def in_bytes(self, texts: pa.Array | pa.ChunkedArray) -> pa.Array | pa.ChunkedArray:
        """Which of many texts, as bytes, hold it so; a null holds nothing."""
        if self.text_pattern is None:
            return pa.array([False] * len(texts), pa.bool_())
        # UTF-16 has a zero beside each letter that the pattern knows.
        without = pc.replace_substring(texts, "\0", "")
        return pc.or_(self._holding(texts), self._holding(without))

    def matches(self, column: pa.ChunkedArray, is_own: bool) -> pa.ChunkedArray:
        """Which values of a column of texts hold the value."""
        found = pa.chunked_array([pa.array([False] * len(column), pa.bool_())])
        if is_own:
            found = pc.fill_null(_found(column, self.column_pattern), False)
        if self.text_pattern:
            found = pc.or_(found, self._holding(column))
        return found

    def _holding(self, texts: pa.Array | pa.ChunkedArray) -> pa.Array | pa.ChunkedArray:
        """Which texts hold the value as it is, or encoded: these few are decoded to be sure."""
        assert self.text_pattern
        plain = pc.fill_null(_found(texts, self.text_pattern), False)
        maybe = pc.fill_null(_found(texts, "|".join(map(re.escape, self._encoded))), False)
        sure = [False] * len(texts)
        for place in pc.indices_nonzero(pc.and_(maybe, pc.invert(plain))).to_pylist():
            text = texts[place].as_py()
            said = list(decoded(text.encode() if isinstance(text, str) else text, self._encoded))
            found = _found(pa.array(said, pa.large_binary()), self.text_pattern)
            sure[place] = bool(pc.any(found).as_py())
        return pc.or_(plain, pa.array(sure, pa.bool_()))

    def pseudonyms(self, keys: list[Key]) -> set[str]:
        """Those of all domains of silver in which the kind is hashed, under every key."""
        return {
            link
            for domain in domains(self.kind)
            for value in self.values
            for cleaned in self._cleaned(value)
            for link in chain(domain, cleaned, keys)
        }

    def own_pseudonym(self, keys: list[Key]) -> str:
        """What the audit log calls this person: of a domain that nothing else uses."""
        value = "\n".join(sorted(min(self._cleaned(value)) for value in self.values))
        return chain(f"erasure.{self.kind}", value, keys)[-1]

    def _cleaned(self, value: str) -> set[str]:
        if self.kind == PHONE:
            return {_digits(value)}
        return {value.strip(), _squeezed(value)}

    @cached_property
    def _spelled(self) -> dict[str, set[str]]:
        """How each value is written that is long enough to be looked for in texts."""
        spelled = {
            value: {value, _digits(value)}
            if self.kind == PHONE
            else {value, value.lower(), value.upper(), _squeezed(value)}
            for value in self.values
        }
        return {v: texts for v, texts in spelled.items() if min(map(len, texts)) >= SHORTEST}

    @cached_property
    def _encoded(self) -> list[str]:
        """What encoded texts share that hold one of these spellings."""
        spelled = sorted(set().union(*self._spelled.values()))
        return [form for text in spelled for form in encoded_forms(text)]

    def _in_texts(self, value: str) -> str:
        if self.kind == PHONE:
            spelled = _BETWEEN_DIGITS.join(_digits(value))
            return rf"(?:^|[^0-9])(?:%2[Bb])?{spelled}(?:$|[^0-9])"
        escaped = {
            form
            for text in self._spelled[value]
            for form in (text, quote(text, safe=""), quote(text), *_in_json(text))
        }
        listed = "|".join(map(re.escape, sorted(escaped)))
        return f"{_BEFORE}(?:{listed}){_AFTER}"


def _found(texts: pa.Array | pa.ChunkedArray, pattern: str) -> pa.Array | pa.ChunkedArray:
    """Which texts or bytes a pattern is in: by RE2, six times as quick as Python's own."""
    return pc.match_substring_regex(texts, pattern=pattern, ignore_case=True)


def chain(domain: str, value: str, keys: list[Key]) -> list[str]:
    """The pseudonym of a value under each key in turn, as the macro `pseudonymize` makes them."""
    links: list[str] = []
    message = f"{domain}{_UNIT_SEPARATOR}{value}"
    for key in sorted(keys, key=lambda k: k.info.version):
        inner = hashlib.sha256(key.ipad + message.encode()).digest()
        message = f"v{key.info.version}:" + hashlib.sha256(key.opad + inner).hexdigest()
        links.append(message)
    return links


def restricted_pseudonyms(known: set[str], keys: list[Key]) -> set[str]:
    """What marts of `gold_restricted`, each with its own domain, call those known in silver."""
    return {
        link
        for mart in models_of("gold_restricted")
        for pseudonym in known
        for link in chain(f"restricted.{mart}", pseudonym, keys)
    }


def domains(kind: str) -> set[str]:
    """`access.email`: the domain of the silver model that takes up the column."""
    return {
        f"{contract.silver.split('__')[0].split('_')[1]}.{kind}"
        for contract in load_contracts().values()
        if contract.silver and kind in {column.name for column in contract.columns}
    }


def _in_json(text: str) -> list[str]:
    plain = json.dumps(text)[1:-1]
    escaped = "".join(c if c.isalnum() and c.isascii() else f"\\u{ord(c):04x}" for c in text)
    return [plain, escaped, plain.replace("@", "\\u0040")]


def _digits(value: str) -> str:
    return re.sub("[^0-9]", "", value)


def _squeezed(value: str) -> str:
    return re.sub(r"[\s\x00-\x1f\x7f]+", "", value.lower())
