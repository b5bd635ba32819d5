"""Descriptions as people read them: with dbt's doc blocks in the place of their names."""

from __future__ import annotations

import re
from functools import cache

from loaders.project import PROJECT

_BLOCK = re.compile(r"{%\s*docs\s+(\w+)\s*%}(.*?){%\s*enddocs\s*%}", re.DOTALL)
_NAMED = re.compile(r"""{{\s*doc\(\s*["'](\w+)["']\s*\)\s*}}""")


def readable(description: str) -> str:
    """A description on one line; a doc block that there is none of stays as it is written."""
    told = _NAMED.sub(lambda m: _blocks().get(m.group(1), m.group(0)), description)
    return " ".join(told.split())


@cache
def _blocks() -> dict[str, str]:
    files = sorted((PROJECT / "models" / "docs").glob("*.md"))
    return {name: text for file in files for name, text in _BLOCK.findall(file.read_text("utf-8"))}
