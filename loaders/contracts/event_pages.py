"""The event registry as people read it: the second half of `docs/events.md`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from loaders.contracts import Column
from loaders.contracts.descriptions import readable
from loaders.contracts.events import EventType, Registry, load_events
from loaders.project import PROJECT

PAGE = PROJECT / "docs" / "events.md"
MARK = "<!-- What follows is written by assay contracts accept, from models/bronze/events. -->"


def page(written: str, registry: Registry) -> str:
    """The page with its second half made anew; what stands before the mark is kept."""
    return "\n".join([written.partition(MARK)[0] + MARK, "", *_lines(registry)])


def write_page(path: Path = PAGE) -> None:
    """Bring the page in step with the registry."""
    written = path.read_text(encoding="utf-8")
    path.write_text(page(written, load_events()), encoding="utf-8", newline="\n")


def _lines(registry: Registry) -> Iterator[str]:
    for domain in sorted({event.domain for event in registry}):
        yield f"## Events of {domain}"
        yield ""
        for event in registry:
            if event.domain == domain:
                yield from _of_type(event)


def _of_type(event: EventType) -> Iterator[str]:
    yield f"### `{event.event_type}` {'.'.join(map(str, event.version))}"
    yield ""
    yield readable(event.description)
    yield ""
    if event.fields:
        yield "| field | type | privacy | what it is |"
        yield "|---|---|---|---|"
        yield from map(_row, event.fields)
        yield ""


def _row(field: Column) -> str:
    kind = f"{field.data_type}, required" if field.required else field.data_type
    limits = [
        f"one of {', '.join(field.accepted)}" if field.accepted else "",
        f"from {field.min:g}" if field.min is not None else "",
        f"to {field.max:g}" if field.max is not None else "",
        f"also as {', '.join(field.aliases)}" if field.aliases else "",
    ]
    kind = ", ".join([kind, *filter(None, limits)])
    return f"| `{field.name}` | {kind} | {field.privacy} | {readable(field.description)} |"
