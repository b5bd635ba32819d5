"""Cut the values of secret fields out of one text, and leave every other character as it is.

The text is edited in place, never parsed and written anew: numbers of any size, repeated names and
the sender's own spacing survive. JSON is read token by token without recursion, so depth is no
matter. What is no JSON is read as form fields, header lines, tags or broken JSON, in which a secret
name, a sign (= : >) and a value follow each other. A text inside a text (JSON in a JSON string,
percent-encoded forms) is unpacked, cut, and packed again.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from urllib.parse import quote, unquote, unquote_plus

from loaders.redaction.cards import find_cards
from loaders.redaction.secret_words import SecretWords

CUT = "[cut]"
_CUT_JSON = json.dumps(CUT)

_TOKEN = re.compile(
    r'[ \t\r\n]*(?:("(?:[^"\\]|\\.)*")|([{}\[\]:,])|([^ \t\r\n"{}\[\]:,]+))', re.DOTALL
)
_NOTHING = {"null", "true", "false", '""', "''", "None", "True", "False", _CUT_JSON, CUT, ""}
# {"name": "password", "value": "..."}: the name of a field, and its value.
_NAMES = {"name", "key", "field", "param", "parameter", "label", "id"}
_VALUES = {"value", "val", "values", "content", "data", "text", "input"}

_PIECE = re.compile(r"[&?#;\s]+")
_SIGN = re.compile(r"[:=>]")
_NAME_BEFORE = re.compile(r"""[^"'{}<>,()&?#;:=\n]*$""")
_TAG_BEFORE = re.compile(r"<([\w:.\-]+)[^<>]*$")
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*(?:"|$)|\'(?:[^\'\\]|\\.)*(?:\'|$)', re.DOTALL)
_ESCAPED_QUOTED = re.compile(r'(\\+)".*?(?:(?<!\\)\1"|$)', re.DOTALL)
_UNTIL = r"""(?=$|[&\n\r]|[;,](?:\s|"|$)|\s{1,8}[\w.\-]{1,64}\s?[:=]"""
_FORM_VALUE = re.compile(rf".*?{_UNTIL})")
_LINE_VALUE = re.compile(rf'.*?{_UNTIL}|["}}\]])')
_TAG_VALUE = re.compile(r"[^<]*")
_BRACKET = re.compile(r"[\[\]{}]")
_LOOK_BACK = 96
# Texts packed into texts deeper than this are cut as a whole.
_MAX_PACKED = 12


class NotJson(Exception):
    """The text is no JSON; what it is else is for others to say."""


@dataclass(slots=True)
class _Level:
    """An object or a list that is open while JSON is read."""

    is_object: bool
    key: str | None = None
    names_secret: bool = False
    value_at: int | None = None  # piece that holds the value beside a name
    value_to: int = 0

    @property
    def is_named(self) -> bool:
        """Whether the field at hand gives the name of another."""
        return self.key is not None and self.key.lower() in _NAMES

    @property
    def is_valued(self) -> bool:
        """Whether the field at hand gives the value of another."""
        return self.key is not None and self.key.lower() in _VALUES


@dataclass(slots=True)
class Cutter:
    """Cuts texts, and counts in `count` how many values it took out."""

    words: SecretWords = field(default_factory=SecretWords)
    count: int = 0
    _packed: int = 0

    def record(self, document: str, plain: Collection[str]) -> str:
        """A record as JSON, cut but for its fields in `plain`. Raises NotJson."""
        return self._json(document, lambda key: key in plain)

    def text(self, text: str) -> str:
        """A text of any kind, cut."""
        if self._packed >= _MAX_PACKED:
            return self._cut()
        self._packed += 1
        try:
            return self._any_text(text)
        finally:
            self._packed -= 1

    def _any_text(self, text: str) -> str:
        if text.lstrip()[:1] in ("{", "[", '"'):
            before = self.count
            try:
                return self._json(text, lambda _: False)
            except NotJson:
                self.count = before
        if "%" in text:
            text = self._percent_decoded(text)
        if _SIGN.search(text):
            text = self._named(text)
        return self._without_cards(text)

    def _json(self, text: str, is_plain: Callable[[str], bool]) -> str:
        out: list[str] = []
        levels: list[_Level] = []
        position, size = 0, len(text.rstrip(" \t\r\n"))
        expected = "value"
        while position < size:
            token = _TOKEN.match(text, position, size)
            if token is None:
                raise NotJson
            begin = token.start(token.lastindex or 0)
            out.append(text[position:begin])
            position = token.end()
            string, sign, other = token.groups()
            level = levels[-1] if levels else None
            if sign in (":", ",", "}", "]"):
                expected = _after_sign(sign, level, expected)
                if sign in ("}", "]"):
                    levels.pop()
                out.append(sign)
                self._note_value(levels, out)
            elif expected == "key":
                if string is None or level is None:
                    raise NotJson
                level.key, expected = _unescaped(string), "colon"
                is_known = len(levels) == 1 and is_plain(level.key)
                out.append(string if is_known else self._string(string, level.key))
            elif expected != "value" and level is not None:
                raise NotJson
            else:
                key = level.key if level is not None else None
                is_kept = key is not None and len(levels) == 1 and is_plain(key)
                if is_kept or self._hides(level, key):
                    position = _end_of_value(text, token, size)
                    value = text[begin:position]
                    out.append(value if is_kept or value in _NOTHING else self._cut(_CUT_JSON))
                elif sign:
                    self._note_start(level, len(out))
                    out.append(sign)
                    levels.append(_Level(sign == "{"))
                    expected = "key" if sign == "{" else "value"
                    continue
                else:
                    self._scalar(out, level, string, other)
                    self._note_value(levels, out)
                expected = "end"
        if levels:
            raise NotJson
        out.append(text[position:])
        return "".join(out)

    def _scalar(self, out: list[str], level: _Level | None, string: str | None, other: str) -> None:
        self._note_start(level, len(out))
        if string is None:
            is_card = other.isdigit() and find_cards(other)
            out.append(self._cut(_CUT_JSON) if is_card else other)
            return
        plain = _unescaped(string)
        out.append(self._string(string, plain))
        if level is not None and level.is_named and self.words.is_secret(plain):
            level.names_secret = True
            if level.value_at is not None:
                self._cut_pieces(out, level.value_at, level.value_to)

    def _string(self, string: str, plain: str) -> str:
        """A JSON string whose text is `plain`, cut."""
        before = self.count
        cut = self.text(plain)
        return string if self.count == before else _escaped(cut)

    def _note_start(self, level: _Level | None, piece: int) -> None:
        """Remember where the value of a name begins, in case the name comes after it."""
        if level is not None and level.is_valued and level.value_at is None:
            level.value_at = piece

    def _note_value(self, levels: list[_Level], out: list[str]) -> None:
        if levels and levels[-1].is_valued and levels[-1].value_at is not None:
            levels[-1].value_to = len(out)

    def _cut_pieces(self, out: list[str], start: int, end: int) -> None:
        if "".join(out[start:end]) not in _NOTHING:
            out[start:end] = [self._cut(_CUT_JSON), *[""] * (end - start - 1)]

    def _hides(self, level: _Level | None, key: str | None) -> bool:
        if key is None or level is None:
            return False
        return self.words.is_secret(key) or (level.names_secret and level.is_valued)

    def _cut(self, mark: str = CUT) -> str:
        self.count += 1
        return mark

    def _percent_decoded(self, text: str) -> str:
        """Cut what is packed in percent signs; packed again only where something was cut."""
        out, position = [], 0
        for gap in [*_PIECE.finditer(text), None]:
            end = gap.start() if gap else len(text)
            piece = text[position:end]
            name, sign, value = piece.partition("=")
            if not sign:
                name, value = "", name
            is_packed = "%" in value and unquote(value) != value
            if is_packed and not self.words.is_secret(unquote_plus(name)):
                before, cut = self.count, self.text(unquote_plus(value))
                if self.count > before:
                    piece = name + sign + quote(cut, safe="[]", errors="replace")
            out += [piece, gap.group() if gap else ""]
            position = gap.end() if gap else end
        return "".join(out)

    def _named(self, text: str) -> str:
        """Cut what follows a secret name and a sign."""
        out, done = [], 0
        for sign in _SIGN.finditer(text):
            start = sign.end()
            if sign.start() < done:
                continue
            before = text[max(done, sign.start() - _LOOK_BACK) : sign.start()]
            if sign.group() == ">":
                tag = _TAG_BEFORE.search(before)
                if tag is None or not self.words.is_secret(tag.group(1)):
                    continue
                end = _TAG_VALUE.match(text, start).end()  # type: ignore[union-attr]
            else:
                if not self._ends_in_secret(before):
                    continue
                while start < len(text) and text[start] in " \t":
                    start += 1
                end = _end_of_text_value(text, start, sign.group())
            if text[start:end].strip("\\\"'") not in _NOTHING:
                out += [text[done:start], _requoted(text[start:end], self._cut())]
                done = end
        return "".join([*out, text[done:]])

    def _ends_in_secret(self, before: str) -> bool:
        name = _NAME_BEFORE.search(before.rstrip(" \t\"'\\"))
        words = name.group().split() if name else []
        if not words:
            return False
        if self.words.is_secret(unquote_plus(words[-1])):
            return True
        return any(self.words.ends_secret("".join(words[-n:])) for n in (2, 3))

    def _without_cards(self, text: str) -> str:
        out, done = [], 0
        for start, end in find_cards(text):
            out += [text[done:start], self._cut()]
            done = end
        return "".join([*out, text[done:]]) if out else text


def _unescaped(string: str) -> str:
    if "\\" not in string:
        return string[1:-1]
    try:
        return str(json.loads(string, strict=False))
    except ValueError:
        raise NotJson from None


def _escaped(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:  # half of a surrogate pair can only stand there escaped
        return json.dumps(text)
    return json.dumps(text, ensure_ascii=False)


def _after_sign(sign: str, level: _Level | None, expected: str) -> str:
    """What may follow a sign of JSON. Raises NotJson where the sign cannot stand."""
    if level is None or (sign in "}]" and level.is_object != (sign == "}")):
        raise NotJson
    if sign == ":":
        if expected != "colon":
            raise NotJson
        return "value"
    if expected == "colon":
        raise NotJson
    if sign == ",":
        level.key = None
        return "key" if level.is_object else "value"
    return "end"


def _end_of_value(text: str, token: re.Match[str], size: int) -> int:
    """Where the value that begins with this token ends."""
    if token.group(2) not in ("{", "["):
        return token.end()
    depth, position = 1, token.end()
    while depth:
        following = _TOKEN.match(text, position, size)
        if following is None:
            raise NotJson
        sign = following.group(2)
        depth += (sign in ("{", "[")) - (sign in ("}", "]"))
        position = following.end()
    return position


def _end_of_text_value(text: str, start: int, sign: str) -> int:
    first = text[start : start + 1]
    for quoted in (_QUOTED, _ESCAPED_QUOTED):
        match = quoted.match(text, start)
        if match:
            return match.end()
    if first in ("{", "["):
        # Broken JSON: to where its brackets close, else all of it.
        depth = 0
        for bracket in _BRACKET.finditer(text, start):
            depth += 1 if bracket.group() in "[{" else -1
            if depth == 0:
                return bracket.end()
        return len(text)
    value = (_FORM_VALUE if sign == "=" else _LINE_VALUE).match(text, start)
    return value.end() if value else len(text)


def _requoted(value: str, mark: str) -> str:
    """The mark in the quotes that the value stood in."""
    quotes = re.match(r'\\*["\']', value)
    return quotes.group() + mark + quotes.group() if quotes else mark
