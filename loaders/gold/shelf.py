"""Where a part of gold is published: what of it, in which folder, behind which file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, eq=False)
class Shelf:
    """A schema of the warehouse, the folder of its releases, and the file that readers open.

    `rows` names the marts that are on it, each with the partner whose rows they are, None where all
    are; without it, all of the schema is.
    """

    schema: str
    folder: Path
    file: Path
    is_private: bool = False
    rows: Mapping[str, str | None] | None = None

    @property
    def mode(self) -> int:
        return 0o700 if self.is_private else 0o755

    def holds(self, mart: str) -> bool:
        """Whether a mart of the schema is on it."""
        return self.rows is None or mart in self.rows
