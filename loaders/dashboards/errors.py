"""What dashboards can fail with: codes of the error-code seed, and the place in a file."""

from __future__ import annotations

from pathlib import Path

from loaders.errors import AssayError
from loaders.project import PROJECT

INVALID = "DASHBOARD_INVALID"
REFUSED = "METABASE_REFUSED"


class DashboardError(AssayError):
    """A file of `metabase/` that cannot be used. The message begins with file and line."""

    def __init__(self, file: Path, line: int, message: str) -> None:
        shown = file.relative_to(PROJECT) if file.is_relative_to(PROJECT) else file.name
        super().__init__(f"{shown}:{line}: {INVALID}: {message}")
        self.line = line


class MetabaseError(AssayError):
    """A Metabase that cannot be reached, or does not do what it is asked."""

    def __init__(self, message: str) -> None:
        super().__init__(f"{REFUSED}: {message}")
