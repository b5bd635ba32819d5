"""Errors in the shape that BigQuery gives them."""

from __future__ import annotations

from typing import Any

_HTTP_CODES = {
    "accessDenied": 403,
    "backendError": 503,
    "duplicate": 409,
    "invalid": 400,
    "invalidQuery": 400,
    "notFound": 404,
    "notImplemented": 501,
    "quotaExceeded": 403,
    "rateLimitExceeded": 403,
}


class ServiceError(Exception):
    """A refusal, with the reason by which clients decide whether to try again."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.code = _HTTP_CODES[reason]

    def detail(self) -> dict[str, Any]:
        """One entry of an error list."""
        detail = {"reason": self.reason, "message": self.message}
        return {**detail, "location": "query"} if self.reason == "invalidQuery" else detail

    def body(self) -> dict[str, Any]:
        """The body of an HTTP answer."""
        errors = [{**self.detail(), "domain": "global"}]
        return {"error": {"code": self.code, "message": self.message, "errors": errors}}


def not_found(kind: str, name: str, location: str | None = None) -> ServiceError:
    """A table, dataset or job that is not there."""
    where = f" was not found in location {location}" if location else ""
    return ServiceError("notFound", f"Not found: {kind} {name}{where}")


def already_exists(kind: str, name: str) -> ServiceError:
    """A table, dataset or job that is there already."""
    return ServiceError("duplicate", f"Already Exists: {kind} {name}")


def invalid_query(message: str) -> ServiceError:
    """A statement that BigQuery refuses."""
    return ServiceError("invalidQuery", message)
