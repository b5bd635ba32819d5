"""What BigQuery answers, turned into an AssayError: what, where, and what to do next.

Texts of Google's errors may quote values of events, so none of them is passed on: only the reason,
the HTTP status, and the names of permissions and columns, which are ours or Google's, never a
sender's.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import requests.exceptions
from google.api_core import exceptions
from google.auth import exceptions as auth_exceptions
from google.cloud.bigquery import DEFAULT_RETRY
from google.cloud.bigquery_storage_v1.types import StorageError
from google.protobuf.any_pb2 import Any as Detail

from loaders.contracts import load_contracts
from loaders.errors import AssayError

Meaning = tuple[str, str, str]  # reason, what it means, what to do

# What a call may raise that is no fault of this program.
FAILURES = (
    exceptions.GoogleAPIError,
    auth_exceptions.GoogleAuthError,
    requests.exceptions.RequestException,
    concurrent.futures.TimeoutError,
    ConnectionError,
)

# What may pass by itself on the Storage Write API, where a repeat is always safe.
_PASSING = (
    exceptions.Aborted,
    exceptions.Cancelled,
    exceptions.DeadlineExceeded,
    exceptions.InternalServerError,
    exceptions.ServiceUnavailable,
    exceptions.TooManyRequests,
)
_STREAM_ENDS = {
    "INVALID_STREAM_STATE",
    "STREAM_ALREADY_COMMITTED",
    "STREAM_FINALIZED",
    "STREAM_NOT_FOUND",
}

_LOG_IN = (
    "Run: gcloud auth application-default login; or set GOOGLE_APPLICATION_CREDENTIALS to the key "
    "file of a service account"
)
_WAIT = "Wait and run it again, or ask for a higher quota in the Google Cloud console"

_FROM_PLUGIN = "metadata from plugin failed"  # how gRPC says that, with UNAVAILABLE
_PERMISSION = re.compile(r"\bbigquery\.[a-z]+\.[a-zA-Z]+\b")
_FIELD = re.compile(r"[Ff]ields?:? `?([A-Za-z_][A-Za-z0-9_]*)`?")
_DRIFT = re.compile(r"does not match|changed (type|mode)|Cannot add fields|incompatible")
_MISSING = re.compile(r"Not found: (Table|Dataset) ([\w:.-]*\w)")
_PROJECT_ROLES = {
    "bigquery.jobs.create": "roles/bigquery.jobUser on the project",
    "bigquery.datasets.create": "roles/bigquery.user on the project",
}


class Refused(AssayError):
    """BigQuery refused, or could not be asked. `reason` is Google's own word for it."""

    def __init__(self, message: str, reason: str) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Call:
    """What is asked of BigQuery, for the words of a failure.

    `place` is a project, dataset or table; `role` what the account needs to do it; `outcome` what
    becomes of the work if it fails, as a sentence.
    """

    place: str
    role: str
    outcome: str


@contextlib.contextmanager
def answered(call: Call) -> Iterator[None]:
    """Turn a failure of a call into one line. Raises Refused."""
    try:
        yield
    except FAILURES as error:
        raise explained(call, error) from None


def explained(call: Call, error: Any) -> Refused:
    """The one line for what a call raised, or for what a job ended with."""
    cause = _root(error)
    reason, why, advice = _meaning(cause, call)
    return Refused(f"BigQuery, {call.place}: {why}. {advice}. {call.outcome}", reason)


def is_transient(error: Any) -> bool:
    """Whether the same request may succeed a little later: what Google's client would repeat."""
    return bool(DEFAULT_RETRY._predicate(_root(error)))


def is_passing(error: BaseException) -> bool:
    """Whether a call of the Storage Write API may succeed a little later."""
    return isinstance(error, _PASSING)


def has_ended(error: exceptions.GoogleAPICallError) -> bool:
    """Whether a stream takes nothing any more: it was finalized, or is gone."""
    gone = (exceptions.NotFound, exceptions.FailedPrecondition)
    return isinstance(error, gone) or _storage_code(error) in _STREAM_ENDS


def _storage_code(error: exceptions.GoogleAPICallError) -> str:
    """The Storage Write API's own word for what is wrong, where it has one."""
    for detail in error.details or ():
        found = StorageError.pb()()
        if isinstance(detail, Detail) and detail.Unpack(found):
            return str(StorageError.StorageErrorCode(found.code).name)
    return ""


def _root(error: Any) -> Any:
    """What was retried until the time was up, rather than that the time was up."""
    while isinstance(error, exceptions.RetryError) and error.cause is not None:
        error = error.cause
    return error


def _meaning(error: Any, call: Call) -> Meaning:
    """Reason, what it means, and what to do."""
    if not isinstance(error, exceptions.GoogleAPICallError):
        return _of_credentials(error) or _unreachable(type(error).__name__)
    reason, status = _reason(error), error.code
    said = f"{reason}, HTTP {int(status)}" if status else reason
    found = _of_rights(error, said, call) or _of_place(error, said)
    if found:
        return (reason, *found)
    if _FROM_PLUGIN in str(error.message or ""):
        return "credentialsRefused", "no token is given for the Google credentials", _LOG_IN
    if status is not None and status >= 500:
        return _unreachable(said, reason)
    refused = _of_rows(error, said)
    if refused:
        return (reason, *refused)
    text = str(error.message or "")
    if _DRIFT.search(text):
        why = f"schema drift{_column(text)}: the table is not as its contract says ({said})"
        return reason, why, "Run: assay init --bigquery PROJECT, which adds what is missing"
    return reason, f"refused ({said})", "Look at the job in the Google Cloud console"


def _of_credentials(error: Any) -> Meaning | None:
    """A failure before anything was asked of Google's service, but for the way there."""
    if isinstance(error, auth_exceptions.DefaultCredentialsError):
        return "credentialsMissing", "there are no Google credentials", _LOG_IN
    if isinstance(error, auth_exceptions.TransportError):
        return None
    if isinstance(error, auth_exceptions.GoogleAuthError):
        return "credentialsRefused", "the Google credentials are expired or withdrawn", _LOG_IN
    return None


def _of_rights(
    error: exceptions.GoogleAPICallError, said: str, call: Call
) -> tuple[str, str] | None:
    """What the account or the project may not, or not now; and what to do."""
    reason, status = _reason(error), error.code
    if status == 401:
        return f"the Google credentials are not accepted ({said})", _LOG_IN
    if reason in ("quotaExceeded", "rateLimitExceeded") or status == 429:
        return f"a quota is used up ({said})", _WAIT
    if reason == "billingNotEnabled":
        return "the project has no billing account", "Enable billing for the project"
    if status == 403:
        asked = _PERMISSION.search(str(error.message or ""))
        role = _PROJECT_ROLES.get(asked.group() if asked else "", call.role)
        lacks = f"permission denied ({asked.group() if asked else said})"
        return lacks, f"The account needs {role}"
    return None


def _of_place(error: exceptions.GoogleAPICallError, said: str) -> tuple[str, str] | None:
    """What is not there, or in another location; and what to do."""
    text = str(error.message or "")
    if error.code == 404:
        missing = _MISSING.search(text)
        what = f"{missing.group(1).lower()} {missing.group(2)}" if missing else "it"
        why = f"{what} is not there, or in another location ({said})"
        return why, "Run: assay init --bigquery PROJECT, which makes it or says where it is"
    if error.code == 400 and "different locations" in text:
        why = f"job and dataset are not in one location ({said})"
        return why, "seeds/residencies.csv says which location the residency has"
    return None


def _of_rows(error: exceptions.GoogleAPICallError, said: str) -> tuple[str, str] | None:
    """What the Storage Write API has against rows, or their columns; and what to do."""
    wrong = len(getattr(error.response, "row_errors", ()))
    if wrong:
        why = f"{wrong} rows are not what the table takes ({said})"
        return why, "Compare the table with its contract in models/bronze"
    if _storage_code(error) == "SCHEMA_MISMATCH_EXTRA_FIELDS":
        why = f"schema drift: streams do not know a column of the contract ({said})"
        return why, "Run: assay init --bigquery PROJECT; streams see a new column after minutes"
    return None


def _column(text: str) -> str:
    """The column that a text names, if it is one of ours: a value of an event never passes."""
    named = _FIELD.search(text)
    ours = {column.name for contract in load_contracts().values() for column in contract.columns}
    return f", column {named.group(1)}" if named and named.group(1) in ours else ""


def _reason(error: exceptions.GoogleAPICallError) -> str:
    details = error.errors
    first = details[0] if details and isinstance(details[0], dict) else {}
    return str(first.get("reason") or type(error).__name__)


def _unreachable(said: str, reason: str = "unreachable") -> Meaning:
    return reason, f"it cannot be reached ({said})", "Check the network and status.cloud.google.com"
