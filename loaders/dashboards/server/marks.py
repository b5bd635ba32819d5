"""How we know what is ours: a line at the end of its description.

It has the slug of the thing, and a digest of what the files said when it was last written: where
that is what they say still, any difference was made by hand.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from typing import Any

_MARK = re.compile(r"\[assay:(\S+) ([0-9a-f]{8})\]")


@dataclass(frozen=True, slots=True)
class Mark:
    """The slug of a thing, and the digest of what it was meant to be."""

    slug: str
    digest: str


def marked(text: str, slug: str, meant: Any) -> str:
    """A description with its mark."""
    digest = hashlib.sha256(json.dumps(meant, sort_keys=True).encode()).hexdigest()[:8]
    return f"{text} [assay:{slug} {digest}]".strip()


def mark_of(thing: dict[str, Any], key: str = "description") -> Mark | None:
    """The mark of a thing, None where it is not ours."""
    found = _MARK.search(thing.get(key) or "")
    return Mark(found.group(1), found.group(2)) if found else None


def ours(things: list[dict[str, Any]], key: str = "description") -> dict[str, dict[str, Any]]:
    """Those that are ours, by slug. Of several with one slug, the oldest."""
    found: dict[str, dict[str, Any]] = {}
    for thing in sorted(things, key=lambda thing: thing["id"]):
        mark = mark_of(thing, key)
        if mark is not None and not thing.get("archived"):
            found.setdefault(mark.slug, thing)
    return found
