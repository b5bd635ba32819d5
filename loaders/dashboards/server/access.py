"""Databases, groups, collections, and who may read which.

Of the two graphs of permissions only the entries of our groups, and those of all users on what is
ours, are changed; all else is sent back as it came.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import Any

from loaders.dashboards.errors import MetabaseError
from loaders.dashboards.server.connections import SECRETS, Connection
from loaders.dashboards.server.marks import marked
from loaders.dashboards.server.placed import Placed
from loaders.dashboards.server.state import ALL_USERS, State
from loaders.dashboards.server.writer import Change, Ids, Writer, differences

ANALYSTS = "Assay analysts"
_ROOT = "root"


def write_databases(writer: Writer, state: State, ids: Ids, wanted: Iterable[Connection]) -> None:
    """Make and mend databases. What is secret cannot be compared, and is sent with the rest."""
    for one in wanted:
        there = state.databases.get(one.name)
        body = {"name": one.name, "engine": one.driver, "details": one.details}
        if there is None:
            change = Change("create", "database", one.name)
            ids.databases[one.name] = writer.write(change, "POST", "database", body)["id"]
            continue
        ids.databases[one.name] = there["id"]
        if there["engine"] != one.driver:
            raise MetabaseError(
                f"the database {one.name} is of {there['engine']}, not of {one.driver}. "
                "Rename it in Metabase, and run it again."
            )
        readable = {k: v for k, v in one.details.items() if k not in SECRETS}
        if differs := differences(readable, there.get("details") or {}):
            change = Change("update", "database", one.name, differs)
            writer.write(change, "PUT", f"database/{there['id']}", body)


def write_groups(writer: Writer, state: State, ids: Ids, wanted: Iterable[Placed]) -> None:
    """Make groups. Who is in them is decided in Metabase."""
    ids.groups |= {name: one["id"] for name, one in state.groups.items()}
    for name in dict.fromkeys(group for placed in wanted for group in placed.groups):
        if name not in ids.groups:
            change = Change("create", "group", name)
            ids.groups[name] = writer.write(change, "POST", "permissions/group", {"name": name})[
                "id"
            ]


def write_collections(writer: Writer, state: State, ids: Ids, wanted: Iterable[Placed]) -> None:
    """Make collections, the outer ones first."""
    paths = {p.path[:depth] for p in wanted for depth in range(1, len(p.path) + 1)}
    for path in sorted(paths, key=lambda path: (len(path), path)):
        slug = collection_slug(path)
        parent = ids.collections.get(collection_slug(path[:-1]))
        meant: dict[str, Any] = {"name": path[-1]}
        if parent is not None:
            meant["parent_id"] = parent
        body = {**meant, "description": marked("Kept as files.", slug, meant)}
        there = state.collections.get(slug)
        if there is None:
            change = Change("create", "collection", slug)
            ids.collections[slug] = writer.write(change, "POST", "collection", body)["id"]
            continue
        ids.collections[slug] = there["id"]
        now = {**there, "parent_id": there.get("parent_id") or _parent(there)}
        if differs := differences(meant, now):
            change = Change("update", "collection", slug, differs, by_hand=True)
            writer.write(change, "PUT", f"collection/{there['id']}", body)


def collection_slug(path: tuple[str, ...]) -> str:
    """The slug of a collection: its path."""
    return "/".join(part.lower().replace(" ", "_") for part in path)


def _parent(collection: dict[str, Any]) -> int | None:
    steps = [step for step in (collection.get("location") or "").split("/") if step]
    return int(steps[-1]) if steps else None


def write_permissions(writer: Writer, ids: Ids, wanted: list[Placed], is_ours: bool) -> None:
    """Who reads which collection, and who may ask questions of their own of which database.

    All users get neither. In a Metabase that we set up they lose the outermost collection, too;
    in another that is not ours to decide.
    """
    everybody = ids.groups.get(ALL_USERS, 1)
    rights: dict[int, dict[int | str, str]] = {everybody: {_ROOT: "none"} if is_ours else {}}
    data: dict[int, dict[int, str]] = {everybody: {}}
    for placed in wanted:
        database = ids.databases[placed.connection.name]
        data[everybody][database] = "no"
        for depth in range(1, len(placed.path) + 1):
            rights[everybody][ids.collections[collection_slug(placed.path[:depth])]] = "none"
        for group in placed.groups:
            of = ids.groups[group]
            rights.setdefault(of, {})[ids.collections[collection_slug(placed.path)]] = "read"
            asks = group == ANALYSTS
            data.setdefault(of, {})[database] = "query-builder-and-native" if asks else "no"
    _write_collection_graph(writer, rights)
    _write_data_graph(writer, data)


def _write_collection_graph(writer: Writer, rights: dict[int, dict[int | str, str]]) -> None:
    graph = _graph(writer, "collection/graph")
    changed = copy.deepcopy(graph)
    for group, of in rights.items():
        entry = changed["groups"].setdefault(str(group), {})
        entry |= {
            str(one): right for one, right in of.items() if entry.get(str(one), "none") != right
        }
    _write_graph(writer, "collection/graph", "collections", graph, changed)


def _write_data_graph(writer: Writer, data: dict[int, dict[int, str]]) -> None:
    graph = _graph(writer, "permissions/graph")
    changed = copy.deepcopy(graph)
    for group, of in data.items():
        entry = changed["groups"].setdefault(str(group), {})
        for database, right in of.items():
            there = entry.get(str(database)) or {}
            if there.get("create-queries", "no") != right:
                entry[str(database)] = {
                    "view-data": "unrestricted",
                    **there,
                    "create-queries": right,
                }
    _write_graph(writer, "permissions/graph", "databases", graph, changed)


def _graph(writer: Writer, path: str) -> dict[str, Any]:
    if writer.client is None:
        return {"revision": 0, "groups": {}}
    return dict(writer.client.get(path))


def _write_graph(
    writer: Writer, path: str, slug: str, graph: dict[str, Any], changed: dict[str, Any]
) -> None:
    groups = {g: of for g, of in changed["groups"].items() if of != graph["groups"].get(g, {})}
    if groups:
        writer.write(Change("update", "permissions", slug), "PUT", path, changed)
