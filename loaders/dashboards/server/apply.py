"""Make a Metabase what the files say, or say what would change: both go the same way.

What is written carries its mark at once, so that an application that was killed is gone on with by
running it again. The order is that in which things need each other.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from loaders.dashboards.declared import Dashboard
from loaders.dashboards.errors import MetabaseError
from loaders.dashboards.server import access, content, messages, tables
from loaders.dashboards.server.client import SITE, Client
from loaders.dashboards.server.connections import Connection, connections
from loaders.dashboards.server.placed import Placed, place
from loaders.dashboards.server.state import State, read_state
from loaders.dashboards.server.writer import Change, Ids, Writer
from loaders.home import Home


def plan(home: Home, dashboards: list[Dashboard]) -> Writer:
    """What an application would change. Raises MetabaseError."""
    client, properties = _reach()
    if _is_new(properties):
        writer = Writer(None)
        writer.notes.append("Nobody has set this Metabase up: apply makes its administrator.")
        _reconcile(writer, State(), home, dashboards, is_ours=True)
        return writer
    _log_in(client)
    writer = Writer(client)
    _reconcile(writer, read_state(client), home, dashboards, _is_ours(properties))
    return writer


def apply(
    home: Home, dashboards: list[Dashboard], told: Callable[[Change], None] = lambda _: None
) -> Writer:
    """Change what differs. Raises MetabaseError; what is done stays."""
    client, properties = _reach()
    is_new = _is_new(properties)
    if is_new:
        client.set_up(str(properties["setup-token"]), *_person())
    else:
        _log_in(client)
    writer = Writer(client, is_dry=False, told=told)
    _reconcile(writer, read_state(client), home, dashboards, is_new or _is_ours(properties))
    if not properties.get("email-configured?"):
        writer.notes.append("Metabase has no mail server yet: alerts and subscriptions wait.")
    return writer


def _reconcile(
    writer: Writer, state: State, home: Home, dashboards: list[Dashboard], is_ours: bool
) -> None:
    there = connections(home, any(dashboard.is_for_partners for dashboard in dashboards))
    wanted = list(place(dashboards, there))
    ids = Ids()
    used = {placed.connection.name: placed.connection for placed in wanted}
    access.write_databases(writer, state, ids, used.values())
    access.write_groups(writer, state, ids, wanted)
    access.write_collections(writer, state, ids, wanted)
    access.write_permissions(writer, ids, wanted, is_ours)
    read = {name: _read(writer, ids, one, wanted) for name, one in used.items()}
    for placed in wanted:
        name = placed.connection.name
        content.write_cards(writer, state, ids, placed, tables.fields_of(*read[name]))
        content.write_dashboard(writer, state, ids, placed)
        messages.write_alerts(writer, state, ids, placed)
        messages.write_subscriptions(writer, state, ids, placed)
    messages.end_leftovers(writer, state, wanted)
    content.archive_leftovers(writer, state, wanted)
    for name, (found, _) in read.items():
        tables.write_descriptions(writer, name, found)


def _read(
    writer: Writer, ids: Ids, one: Connection, wanted: list[Placed]
) -> tuple[tables.Tables, tables.Columns]:
    """The tables of a connection, and the columns that its dashboards need of them."""
    columns = tables.columns_read(placed for placed in wanted if placed.connection == one)
    return tables.read_tables(writer, ids.databases[one.name], one.schema, columns), columns


def _reach() -> tuple[Client, dict[str, Any]]:
    url = os.environ.get("ASSAY_METABASE_URL")
    if not url:
        raise MetabaseError("ASSAY_METABASE_URL is not set. Set it, such as http://localhost:3000")
    client = Client(url, os.environ.get("ASSAY_METABASE_KEY"))
    return client, client.properties()


def _is_new(properties: dict[str, Any]) -> bool:
    return not properties.get("has-user-setup") and bool(properties.get("setup-token"))


def _is_ours(properties: dict[str, Any]) -> bool:
    """Whether we set it up, as its name says."""
    return properties.get("site-name") == SITE


def _log_in(client: Client) -> None:
    """With an API key there is nothing to do."""
    if not os.environ.get("ASSAY_METABASE_KEY"):
        client.log_in(*_person())


def _person() -> tuple[str, str]:
    email = os.environ.get("ASSAY_METABASE_EMAIL")
    password = os.environ.get("ASSAY_METABASE_PASSWORD")
    if not email or not password:
        raise MetabaseError(
            "there are no credentials. Set ASSAY_METABASE_KEY to an API key of the group "
            "Administrators, or ASSAY_METABASE_EMAIL and ASSAY_METABASE_PASSWORD."
        )
    return email, password
