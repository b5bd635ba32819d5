"""Card numbers in running text: 13 to 19 digits, separated or not, whose check digit is right."""

from __future__ import annotations

import re

# RE2, over a whole record as JSON: thirteen digits in a row, with at most one separator between two
# of them, that are no telephone number and not the middle of a hexadecimal id.
_NEXT = r"(?:(?:[ +_\-.]|%20|\\u00[aA]0|\x{A0}|[\x{2010}-\x{2015}]|\\u201[0-5])?[0-9])"
_BEFORE = r"""(?:^|[^"0-9A-Za-z+.]|[^"]\+|[^0-9]\.|\\u[0-9A-Fa-f]{4}|%[0-9A-Fa-f]{2}|")"""
SUSPECT = rf"""{_BEFORE}[A-Za-z]*[0-9]{_NEXT}{{12}}|"\+[0-9]{_NEXT}{{15}}"""

_RUN = re.compile(r"[0-9](?:(?:[ +_\-\xa0\u2010-\u2015.]|%20|\\u00[aA]0)?[0-9]){12,}")
_GROUP = re.compile(r"%20|\\u00[aA]0|[0-9]+")
_UUID = re.compile(r"(?i)\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b")
_DOUBLED = (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)
_LETTERS_BEFORE = re.compile(r"[0-9A-Za-z]*$")
_LETTERS_AFTER = re.compile(r"[0-9A-Za-z]*")


def find_cards(text: str) -> list[tuple[int, int]]:
    """Where card numbers stand in the text, from left to right, not overlapping."""
    found: list[tuple[int, int]] = []
    uuids: list[tuple[int, int]] | None = None
    for run in _RUN.finditer(text):
        for start, end in _cards_of_run(text, run.start(), run.end()):
            if uuids is None:
                uuids = [match.span() for match in _UUID.finditer(text)]
            if not any(begin < end and start < stop for begin, stop in uuids):
                found.append((start, end))
    return found


def _cards_of_run(text: str, begin: int, stop: int) -> list[tuple[int, int]]:
    """Any whole groups of a run may be the card: a year or a house number can stand before it."""
    groups = [g.span() for g in _GROUP.finditer(text, begin, stop) if g.group()[0].isdigit()]
    found, first = [], 0
    while first < len(groups):
        digits, last_good = "", None
        for last in range(first, len(groups)):
            digits += text[slice(*groups[last])]
            if len(digits) > 19:
                break
            is_number = len(digits) >= 13 and _is_card(digits)
            if is_number and _stands_alone(text, groups[first][0], groups[last][1]):
                last_good = last
        if last_good is None:
            first += 1
        else:
            found.append((groups[first][0], groups[last_good][1]))
            first = last_good + 1
    return found


def _is_card(digits: str) -> bool:
    # Numbers that begin with 1 are airline cards of 15 digits; times in milliseconds to nanoseconds
    # have 13, 16 or 19 and would pass one time in ten. No issuer begins with 0.
    if digits[0] == "0" or (digits[0] == "1" and len(digits) != 15):
        return False
    odd = sum(map(int, digits[-1::-2]))
    return (odd + sum(_DOUBLED[int(d)] for d in digits[-2::-2])) % 10 == 0


def _stands_alone(text: str, start: int, end: int) -> bool:
    """Whether it is more than the digits of a fraction, of a longer id or of a phone number."""
    before, after = text[max(0, start - 24) : start], text[end : end + 24]
    if start == 1 and text[0] == "+" and end - start <= 15:
        return False  # a telephone number has up to 15 digits
    dots = text[start:end].count(".")
    if 0 < dots < 3 or re.search(r"[0-9]\.$", before):
        return False
    left, right = _LETTERS_BEFORE.search(before), _LETTERS_AFTER.match(after)
    around = (left.group() if left else "") + (right.group() if right else "")
    return not any(c.isdigit() for c in around)
