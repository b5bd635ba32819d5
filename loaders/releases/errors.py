"""What a release can be refused for: codes of the error-code seed."""

from __future__ import annotations

from loaders.errors import AssayError


class ReleaseError(AssayError):
    """A release that is not made. The message begins with its code."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code


SPENT = "privacy_budget_spent"
CLOSED = "release_not_closed"
UNLIKE = "release_exists"
