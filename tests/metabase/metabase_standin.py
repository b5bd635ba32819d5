"""A stand-in for Metabase: keeps what it is sent and gives it back, over HTTP.

It answers what `assay dashboards` asks, and holds each request against Metabase's OpenAPI document.
Like Metabase it adds fields of its own, gives queries back in another form than they came in, does
not give back secrets, reads tables some time after it was told to, and refuses graphs of an old
revision.
"""

from __future__ import annotations

import copy
import json
import re
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from contract import violations

from loaders.gold.marts import columns_of, models_of

Thing = dict[str, Any]
EMAIL, PASSWORD, KEY, TOKEN = "admin@example.com", "correct horse", "mb_key", "first-token"
EVERYBODY, ADMINISTRATORS, ADMIN = 1, 2, 1
SECRET = "**MetabasePass**"
SCHEMA = "gold"  # of the tables of every database


class Refused(Exception):
    """An answer that is no 200."""

    def __init__(self, status: int, body: Any = None) -> None:
        super().__init__(status)
        self.status, self.body = status, body


class StandIn:
    """A Metabase in this process. What it holds may be changed by hand, in its attributes."""

    def __init__(self, version: str = "v0.58.2", is_set_up: bool = True) -> None:
        self.version, self.is_set_up, self.site = version, is_set_up, "Somebody's Metabase"
        self.things: dict[str, dict[int, Thing]] = {
            kind: {}
            for kind in ("database", "collection", "card", "dashboard", "notification", "pulse")
        }
        self.groups = {EVERYBODY: "All Users", ADMINISTRATORS: "Administrators"}
        self.members: list[Thing] = [{"user_id": ADMIN, "group_id": ADMINISTRATORS}]
        self.graphs: dict[str, Thing] = {
            "collection": {
                "revision": 3,
                "groups": {"1": {"root": "write"}, "2": {"root": "write"}},
            },
            "permissions": {"revision": 7, "groups": {"2": {"99": {"view-data": "unrestricted"}}}},
        }
        self.requests: list[tuple[str, str, Any]] = []
        self.violations: list[str] = []
        self.marts = sorted(models_of("gold"))  # of which it finds tables
        self.unsynced: dict[int, int] = {}  # how often a database still has no tables
        self.said: dict[str, dict[int, str]] = {"table": {}, "field": {}}  # descriptions by number
        self.fail_after: int | None = None  # so many writes, then the connection breaks
        self._last = 100
        self._lock = threading.Lock()
        handler = type("Handler", (_Handler,), {"standin": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> StandIn:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def writes(self) -> list[tuple[str, str]]:
        """Method and path of what was written, but for logging in and asking for a sync."""
        quiet = ("session", "sync_schema")
        return [(m, p) for m, p, _ in self.requests if m != "GET" and not p.endswith(quiet)]

    def of(self, kind: str) -> list[Thing]:
        """What there is of a kind and not in the trash."""
        return [t for t in self.things[kind].values() if not t.get("archived")]

    def named(self, kind: str, name: str) -> Thing:
        """The one thing of that name."""
        (found,) = [one for one in self.of(kind) if one["name"].startswith(name)]
        return found

    def answer(self, method: str, path: str, query: dict[str, str], body: Any, headers: Any) -> Any:
        """Answer a request. One at a time."""
        with self._lock:
            self.violations += violations(method, f"/api/{path}", query, body)
            if method != "GET" and path != "session":
                if self.fail_after == 0:
                    raise ConnectionError
                if self.fail_after:
                    self.fail_after -= 1
            self.requests.append((method, path, copy.deepcopy(body)))
            public = path in ("session", "session/properties", "setup")
            if not public and headers["x-api-key"] != KEY and headers["X-Metabase-Session"] != "s":
                raise Refused(401)
            for pattern, answered in _ROUTES:
                if found := re.fullmatch(pattern, f"{method} {path}"):
                    return answered(self, *found.groups(), *([] if method == "GET" else [body]))
            raise Refused(404)

    def _properties(self) -> Thing:
        return {
            "version": {"tag": self.version},
            "has-user-setup": self.is_set_up,
            "setup-token": None if self.is_set_up else TOKEN,
            "site-name": self.site,
            "email-configured?": False,
        }

    def _set_up(self, body: Thing) -> Thing:
        if self.is_set_up or body["token"] != TOKEN:
            raise Refused(403)
        self.is_set_up, self.site = True, body["prefs"]["site_name"]
        return {"id": "s"}

    def _log_in(self, body: Thing) -> Thing:
        if (body["username"], body["password"]) != (EMAIL, PASSWORD):
            raise Refused(401)
        return {"id": "s"}

    def _list(self, kind: str) -> Any:
        things = [self._get(kind, str(one["id"])) for one in self.of(kind)]
        if kind == "database":
            return {"data": things, "total": len(things)}
        if kind == "collection":
            return [{"id": "root", "name": "Our analytics"}, *things]
        if kind == "dashboard":  # a list has no cards
            return [{k: v for k, v in one.items() if k != "dashcards"} for one in things]
        return things

    def _get(self, kind: str, number: str) -> Thing:
        thing = copy.deepcopy(self.things[kind][int(number)])
        if kind == "card":
            thing["dataset_query"] = _in_stages(thing["dataset_query"])
        if kind == "database" and "service-account-json" in thing["details"]:
            thing["details"]["service-account-json"] = SECRET
        return thing

    def _make(self, kind: str, body: Thing) -> Thing:
        self._last += 1
        extras = {"created_at": "2026-06-01T00:00:00Z", "archived": False, "creator_id": ADMIN}
        extras |= {"entity_id": f"{self._last:021d}", **_ADDED.get(kind, {})}
        thing = {**extras, **copy.deepcopy(body), "id": self._last}
        if kind == "collection":
            parent = thing.pop("parent_id", None)
            outer = self.things[kind][parent]["location"] if parent else "/"
            thing["location"] = f"{outer}{parent}/" if parent else "/"
        if kind == "dashboard":
            thing |= {"dashcards": [], "tabs": []}
        if kind == "pulse":
            for card in thing["cards"]:
                card["name"] = self.things["card"][card["id"]]["name"]
        if kind == "notification":
            thing |= {"active": True, "payload_id": self._last}
        if kind == "database":
            self.unsynced[self._last] = 2
        self.things[kind][self._last] = thing
        return self._get(kind, str(self._last))

    def _change(self, kind: str, number: str, body: Thing) -> Thing:
        if int(number) not in self.things[kind]:
            raise Refused(404)
        thing = self.things[kind][int(number)]
        thing |= copy.deepcopy(body)
        if kind == "dashboard":
            for card in thing["dashcards"]:
                if card["id"] < 0:
                    self._last += 1
                    card |= {"id": self._last, "dashboard_id": int(number), **_ON_A_DASHBOARD}
                    card["entity_id"] = f"{self._last:021d}"
                if card["card_id"] not in self.things["card"]:
                    raise Refused(400, {"errors": {"dashcards": "no such card"}})
        if kind == "notification" and not thing["active"]:
            thing["archived"] = True
        return self._get(kind, number)

    def _metadata(self, number: str) -> Thing:
        if self.unsynced.get(int(number), 0) > 0:
            self.unsynced[int(number)] -= 1
            return {"tables": []}
        return {"tables": [self._table(int(number), mart) for mart in self.marts]}

    def _table(self, database: int, mart: str) -> Thing:
        """A table of a database, with numbers of its own."""
        of = 1000 * (1000 * database + self.marts.index(mart))
        fields = [
            {
                "id": of + number,
                "name": column,
                "display_name": column.replace("_", " ").title(),
                "description": self.said["field"].get(of + number),
                "fk_target_field_id": None,
                "visibility_type": "normal",
                "semantic_type": None,
            }
            for number, column in enumerate(columns_of(mart))
        ]
        return {
            "id": of,
            "name": mart,
            "display_name": mart.replace("_", " ").title(),
            "schema": SCHEMA,
            "description": self.said["table"].get(of),
            "visibility_type": None,
            "fields": fields,
        }

    def _describe(self, kind: str, number: str, body: Thing) -> Thing:
        self.said[kind][int(number)] = body["description"]
        return {"id": int(number), **body}

    def _groups(self) -> list[Thing]:
        return [{"id": one, "name": name} for one, name in self.groups.items()]

    def _make_group(self, body: Thing) -> Thing:
        if body["name"] in self.groups.values():
            raise Refused(400, {"errors": {"name": "taken"}})
        self._last += 1
        self.groups[self._last] = body["name"]
        return {"id": self._last, **body}

    def _memberships(self) -> dict[str, list[Thing]]:
        found: dict[str, list[Thing]] = {}
        for one in self.members:
            found.setdefault(str(one["user_id"]), []).append(one)
        return found

    def _put_graph(self, kind: str, body: Thing) -> Thing:
        graph = self.graphs[kind]
        if body["revision"] != graph["revision"]:
            raise Refused(409)
        graph["groups"] |= copy.deepcopy(body["groups"])
        graph["revision"] += 1
        return copy.deepcopy(graph)


def _in_stages(query: Thing) -> Thing:
    """The form in which Metabase gives native queries back since 57."""
    native = query["native"]
    tags = {
        name: {**tag, "dimension": ["field", {"lib/uuid": "u"}, tag["dimension"][1]]}
        for name, tag in native["template-tags"].items()
    }
    stage = {"lib/type": "mbql.stage/native", "native": native["query"], "template-tags": tags}
    return {"lib/type": "mbql/query", "database": query["database"], "stages": [stage]}


# What Metabase adds, and its own command-line client asks for.
_ADDED: dict[str, Thing] = {
    "card": {"query_type": "native", "table_id": None, "database_id": None},
    "dashboard": {
        "width": "fixed",
        "auto_apply_filters": True,
        "enable_embedding": False,
        "public_uuid": None,
        "cache_ttl": None,
    },
    "pulse": {"collection_id": None, "parameters": []},
}

_ON_A_DASHBOARD: Thing = {
    "dashboard_tab_id": None,
    "inline_parameters": [],
    "created_at": "2026-06-01T00:00:00Z",
    "updated_at": "2026-06-01T00:00:00Z",
    "action_id": None,
}

_KINDS = "(database|collection|card|dashboard|notification|pulse)"
_ROUTES: list[tuple[str, Callable[..., Any]]] = [
    (r"GET session/properties", StandIn._properties),
    (r"POST setup", StandIn._set_up),
    (r"POST session", StandIn._log_in),
    (r"GET user/current", lambda _: {"id": ADMIN}),
    (r"GET permissions/group", StandIn._groups),
    (r"POST permissions/group", StandIn._make_group),
    (r"GET permissions/membership", StandIn._memberships),
    (r"GET (collection|permissions)/graph", lambda s, kind: copy.deepcopy(s.graphs[kind])),
    (r"PUT (collection|permissions)/graph", StandIn._put_graph),
    (r"GET database/(\d+)/metadata", StandIn._metadata),
    (r"POST database/(\d+)/sync_schema", lambda *_: {"status": "ok"}),
    (r"PUT (table|field)/(\d+)", StandIn._describe),
    (rf"GET {_KINDS}", StandIn._list),
    (rf"GET {_KINDS}/(\d+)", StandIn._get),
    (rf"POST {_KINDS}", StandIn._make),
    (rf"PUT {_KINDS}/(\d+)", StandIn._change),
]


class _Handler(BaseHTTPRequestHandler):
    standin: StandIn

    def _answer(self) -> None:
        parts = urlsplit(self.path)
        length = int(self.headers["Content-Length"] or 0)
        body = json.loads(self.rfile.read(length)) if length else None
        path, query = parts.path.removeprefix("/api/").rstrip("/"), dict(parse_qsl(parts.query))
        try:
            status, said = 200, self.standin.answer(self.command, path, query, body, self.headers)
        except Refused as refused:
            status, said = refused.status, refused.body
        except ConnectionError:  # as when one of the two is killed
            self.close_connection = True
            return
        text = json.dumps(said).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    do_GET = do_POST = do_PUT = _answer

    def log_message(self, *_: object) -> None:
        """Nothing."""
