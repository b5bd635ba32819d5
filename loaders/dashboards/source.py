"""YAML that remembers on which line everything stands."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from loaders.dashboards.errors import DashboardError

Place = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Source:
    """A file: what it says, and the line of each key and item by its path."""

    file: Path
    document: Any
    lines: dict[Place, int]
    blocks: frozenset[Place]

    def line_of(self, *place: str | int) -> int:
        """The line of what is at a place, or of the nearest thing around it."""
        while place and place not in self.lines:
            place = place[:-1]
        return self.lines.get(place, 1)

    def line_in(self, number: int, *place: str | int) -> int:
        """The line of a text's line, counted from 1, where the text is a block of its own."""
        return self.line_of(*place) + (number if place in self.blocks else 0)

    def wrong(self, message: str, *place: str | int) -> DashboardError:
        """An error at a place."""
        return DashboardError(self.file, self.line_of(*place), message)


def read_source(file: Path) -> Source:
    """Read a file. Raises DashboardError where it is no YAML, or says a key twice."""
    try:
        text = file.read_text(encoding="utf-8")
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        document = yaml.safe_load(text)
    except UnicodeDecodeError:
        raise DashboardError(file, 1, "not UTF-8. Save the file as UTF-8.") from None
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise DashboardError(file, line, f"not valid YAML: {error.problem}. Mend it.") from None
    except yaml.YAMLError:
        raise DashboardError(file, 1, "not valid YAML. Mend it.") from None
    source = Source(file, document, {}, frozenset())
    blocks: set[Place] = set()
    if root is not None:
        _note(source, root, (), blocks)
    return Source(file, document, source.lines, frozenset(blocks))


def _note(source: Source, node: yaml.Node, place: Place, blocks: set[Place]) -> None:
    source.lines.setdefault(place, node.start_mark.line + 1)
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            inner = (*place, key.value)
            if inner in source.lines:
                raise DashboardError(
                    source.file, key.start_mark.line + 1, f"{key.value} is there twice. Keep one."
                )
            source.lines[inner] = key.start_mark.line + 1
            _note(source, value, inner, blocks)
    elif isinstance(node, yaml.SequenceNode):
        for number, item in enumerate(node.value):
            _note(source, item, (*place, number), blocks)
    elif isinstance(node, yaml.ScalarNode) and node.style == "|":
        blocks.add(place)
