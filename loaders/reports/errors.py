"""What a report can fail with: codes of the error-code seed."""

from __future__ import annotations

from loaders.errors import AssayError


class ReportError(AssayError):
    """A report that cannot be given. The message begins with its code."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code


NOT_FOUND = "METRIC_NOT_FOUND"
PERIOD_INVALID = "PERIOD_INVALID"
QUERY_FAILED = "ANALYTICS_QUERY_FAILED"
DENIED = "PERMISSION_DENIED"
NOT_MADE = "REPORT_GENERATION_ERROR"
