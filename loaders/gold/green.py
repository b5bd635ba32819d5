"""Only a green build is published."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from loaders.errors import AssayError
from loaders.home import Home, build_command


def green_build(home: Home, builds: Iterable[dict[str, Any]]) -> str:
    """The id of the build that `last_build` has a row of. Raises AssayError unless it is green."""
    found = list(builds)
    if not found:
        raise AssayError(f"Nothing to publish: there was no build yet. Run: {build_command(home)}")
    (build,) = found
    if not build["is_green"]:
        raise AssayError(
            f"Not published: {build['failed_nodes']} nodes of the last build failed. Readers keep "
            "the last green one. Mend what logs/dbt.log names, and build again."
        )
    if red := build.get("red_models"):
        raise AssayError(
            f"Not published: {', '.join(red.split())} failed in an earlier build, and the last one "
            f"left them out. Readers keep the last green gold. Run: {build_command(home)}"
        )
    return str(build["build_id"])
