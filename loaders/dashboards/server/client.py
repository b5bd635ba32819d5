"""Metabase over HTTP: requests, credentials, version. No other module here speaks HTTP."""

from __future__ import annotations

import json
import re
import urllib.error
import urllib.parse
import urllib.request
from http import HTTPStatus
from typing import Any

from loaders.dashboards.errors import MetabaseError

OLDEST = 58
SITE = "Assay"  # what a Metabase is called that we set up
_SECONDS = 60
_TAG = re.compile(r"^v[01]\.(\d+)")


class Conflict(MetabaseError):
    """Somebody else changed the same permissions meanwhile."""


class _Straight(urllib.request.HTTPRedirectHandler):
    """Goes to no other address: urllib would show credentials there, and ask instead of write."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        """Nowhere."""


class Client:
    """A Metabase at a URL, as the owner of an API key or of a session."""

    def __init__(self, url: str, key: str | None = None) -> None:
        parts = urllib.parse.urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.netloc:
            raise MetabaseError("the URL is none. Give it as https://metabase.example.com")
        self.url = url.rstrip("/")
        self._opener = urllib.request.build_opener(_Straight)
        self._headers = {"Content-Type": "application/json"}
        if key:
            self._headers["x-api-key"] = key

    def get(self, path: str, **query: str) -> Any:
        """The answer to a GET."""
        asked = f"?{urllib.parse.urlencode(query)}" if query else ""
        return self.send("GET", path + asked)

    def send(self, method: str, path: str, body: Any = None) -> Any:
        """The answer to a request. Raises MetabaseError."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(  # noqa: S310 - http or https, see above
            f"{self.url}/api/{path}", data, self._headers, method=method
        )
        shown = f"{method} /api/{path.partition('?')[0]}"
        try:
            with self._opener.open(request, timeout=_SECONDS) as answer:
                text = answer.read()
            return json.loads(text) if text else None
        except urllib.error.HTTPError as error:
            raise _refusal(shown, error) from None
        except (OSError, ValueError) as error:
            raise MetabaseError(
                f"{shown} at {self.url} got no answer ({type(error).__name__}). Is it running?"
            ) from None

    def properties(self) -> dict[str, Any]:
        """What anybody may know of it. Raises MetabaseError unless it is new enough."""
        properties: dict[str, Any] = self.get("session/properties")
        tag = str((properties.get("version") or {}).get("tag"))
        found = _TAG.match(tag)
        if not found or int(found.group(1)) < OLDEST:
            raise MetabaseError(f"it is of version {tag}; {OLDEST} or later is needed. Upgrade it.")
        return properties

    def log_in(self, email: str, password: str) -> None:
        """Go on as a person."""
        answer = self.send("POST", "session", {"username": email, "password": password})
        self._headers["X-Metabase-Session"] = answer["id"]

    def set_up(self, token: str, email: str, password: str) -> None:
        """Make the first administrator of a new Metabase, and go on as that one."""
        body = {
            "token": token,
            "user": {"email": email, "password": password},
            "prefs": {"site_name": SITE},
        }
        self._headers["X-Metabase-Session"] = self.send("POST", "setup", body)["id"]


def _refusal(shown: str, error: urllib.error.HTTPError) -> MetabaseError:
    if HTTPStatus.MULTIPLE_CHOICES <= error.code < HTTPStatus.BAD_REQUEST:
        return MetabaseError(
            f"{shown}: leads to another address. Set ASSAY_METABASE_URL to the one of Metabase."
        )
    if error.code == HTTPStatus.CONFLICT:
        return Conflict(f"{shown}: permissions were changed meanwhile. Run it again.")
    if error.code in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        return MetabaseError(
            f"{shown}: not allowed. ASSAY_METABASE_KEY must be of the group Administrators."
        )
    try:
        said = json.loads(error.read())
    except ValueError:
        said = {}
    fields = sorted(said.get("errors") or {}) if isinstance(said, dict) else []
    about = f", about {', '.join(fields)}" if fields else ""
    return MetabaseError(f"{shown}: answered {error.code}{about}. What is done stays; see its log.")
