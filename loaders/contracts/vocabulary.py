"""The vocabulary seed: which words a column takes, and the spellings that mean them."""

from __future__ import annotations

import csv
from functools import cache

from loaders.project import PROJECT

VOCABULARY = PROJECT / "seeds" / "vocabulary.csv"


@cache
def read_vocabulary() -> dict[str, dict[str, str]]:
    """The seed as {vocabulary: {spelling: word}}."""
    words: dict[str, dict[str, str]] = {}
    with VOCABULARY.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            words.setdefault(row["list_name"], {})[row["spelling"]] = row["value"]
    return words


def words_of(vocabulary: str) -> list[str]:
    """The words of one vocabulary, in alphabetical order."""
    return sorted(set(read_vocabulary()[vocabulary].values()))
