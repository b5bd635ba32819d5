"""Cards and dashboards, and what is there of ours but in no file any more."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from loaders.dashboards.declared import Alert, Card
from loaders.dashboards.server.access import collection_slug
from loaders.dashboards.server.bodies import (
    Body,
    card_body,
    dashboard_parameters,
    dashcards,
)
from loaders.dashboards.server.marks import mark_of, marked
from loaders.dashboards.server.placed import Placed
from loaders.dashboards.server.state import State, Thing
from loaders.dashboards.server.writer import Change, Ids, Writer, differences

_KEPT = "Kept in a file: what is changed here is undone."


def write_cards(
    writer: Writer,
    state: State,
    ids: Ids,
    placed: Placed,
    fields: Mapping[tuple[str, str], int],
) -> None:
    """Make and mend the questions of a dashboard and of its alerts."""
    for slug, one in questions(placed).items():
        body = card_body(placed, one, fields, ids.databases[placed.connection.name])
        body["collection_id"] = ids.collections[collection_slug(placed.path)]
        _finish(body, slug, one.text)
        there = state.cards.get(slug)
        if there is None:
            ids.cards[slug] = writer.write(Change("create", "card", slug), "POST", "card", body)[
                "id"
            ]
            continue
        ids.cards[slug] = there["id"]
        if differs := differences(_comparable(body), _comparable(there)):
            change = Change("update", "card", slug, differs, _is_by_hand(body, there))
            writer.write(change, "PUT", f"card/{there['id']}", body)


def write_dashboard(writer: Writer, state: State, ids: Ids, placed: Placed) -> None:
    """Make and mend a dashboard: first it, then the cards on it, as the API wants."""
    slug = placed.slug
    head: Body = {
        "name": placed.dashboard.title,
        "collection_id": ids.collections[collection_slug(placed.path)],
        "parameters": dashboard_parameters(placed),
    }
    there = state.dashboards.get(slug)
    known = {card["card_id"]: card["id"] for card in (there or {}).get("dashcards", [])}
    whole = {**head, "tabs": [], "dashcards": dashcards(placed, ids.cards, known)}
    _finish(whole, slug, placed.dashboard.text)
    change = Change("create", "dashboard", slug)
    if there is None:
        made = writer.write(
            change, "POST", "dashboard", {**head, "description": whole["description"]}
        )
        there = {**made, "dashcards": []}
    ids.dashboards[slug] = there["id"]
    if differs := differences(_sorted(whole), _sorted(there)):
        if change not in writer.changes:
            # One that has no cards yet is of an application that was killed.
            by_hand = bool(there["dashcards"]) and _is_by_hand(whole, there)
            change = Change("update", "dashboard", slug, differs, by_hand)
        there = writer.write(change, "PUT", f"dashboard/{there['id']}", whole)
    ids.dashcards[slug] = {card["card_id"]: card["id"] for card in there["dashcards"]}


def archive_leftovers(writer: Writer, state: State, wanted: list[Placed]) -> None:
    """Put into the trash what is ours and in no file any more; collections stay."""
    cards = {slug for placed in wanted for slug in questions(placed)}
    kinds = (
        ("dashboard", state.dashboards, {placed.slug for placed in wanted}),
        ("card", state.cards, cards),
    )
    for kind, there, kept in kinds:
        for slug, thing in there.items():
            if slug not in kept:
                change = Change("archive", kind, slug)
                writer.write(change, "PUT", f"{kind}/{thing['id']}", {"archived": True})


def questions(placed: Placed) -> dict[str, Card | Alert]:
    """The cards of a dashboard and those of its alerts, by their slugs in Metabase."""
    return {
        **{f"{placed.slug}/{slug}": card for slug, card in placed.dashboard.cards.items()},
        **{f"{placed.slug}/alerts/{slug}": one for slug, one in placed.dashboard.alerts.items()},
    }


def _finish(body: Body, slug: str, text: str) -> None:
    """Give a body its description, with the mark of what the files say."""
    body["description"] = marked(f"{text} {_KEPT}".strip(), slug, _as_declared(body))


def _as_declared(body: Body) -> Any:
    """A body without what depends on the Metabase it goes to."""
    if "dataset_query" in body:
        native = body["dataset_query"]["native"]
        tags = {
            name: {k: v for k, v in tag.items() if k != "dimension"}
            for name, tag in native["template-tags"].items()
        }
        shown = {k: body[k] for k in ("name", "display", "visualization_settings")}
        return {**shown, "query": native["query"], "tags": tags}
    places = [[card[k] for k in ("row", "col", "size_x", "size_y")] for card in body["dashcards"]]
    return {"name": body["name"], "parameters": body["parameters"], "places": places}


def _is_by_hand(body: Body, there: Thing) -> bool:
    """Whether what is there was last written as the files still say."""
    meant, found = mark_of(body), mark_of(there)
    return meant is not None and meant == found


def _comparable(card: Body) -> Body:
    """What of a card is compared, whichever of its two forms a query is given back in."""
    query = card["dataset_query"]
    native = query.get("native") or next(iter(query.get("stages") or [{}]))
    if "stages" in query:  # the form of today; we write the older one, which is taken as well
        native = {"query": native.get("native"), "template-tags": native.get("template-tags")}
    given = native.get("template-tags") or {}
    tags = {  # by name, or as a list
        tag["name"]: {**tag, "dimension": _field(tag.get("dimension"))}
        for tag in (given.values() if isinstance(given, dict) else given)
    }
    return {
        **{k: card.get(k) for k in ("name", "description", "display", "collection_id")},
        "database": query.get("database"),
        "query": native.get("query"),
        "filters": tags,
        "settings": card.get("visualization_settings"),
    }


def _field(dimension: Any) -> Any:
    """The number of the field in either form of a dimension."""
    return next((part for part in dimension or [] if isinstance(part, int)), None)


def _sorted(dashboard: Body) -> Body:
    """A dashboard whose cards are in the order of the grid."""
    cards = sorted(dashboard["dashcards"], key=lambda card: (card["row"], card["col"]))
    return {**dashboard, "dashcards": cards}
