"""What is there: read once, before anything is written."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from loaders.dashboards.server.client import Client
from loaders.dashboards.server.marks import ours

Thing = dict[str, Any]

ALL_USERS = "All Users"
ADMINISTRATORS = "Administrators"


@dataclass
class State:
    """Things by slug, where they are ours; databases and groups by name."""

    user_id: int = 0
    databases: dict[str, Thing] = field(default_factory=dict)
    groups: dict[str, Thing] = field(default_factory=dict)
    members: dict[int, list[int]] = field(default_factory=dict)
    collections: dict[str, Thing] = field(default_factory=dict)
    cards: dict[str, Thing] = field(default_factory=dict)
    dashboards: dict[str, Thing] = field(default_factory=dict)
    notifications: dict[int, Thing] = field(default_factory=dict)  # ours, by the id of their card
    pulses: dict[str, Thing] = field(default_factory=dict)


def read_state(client: Client) -> State:
    """What is in a Metabase."""
    user_id = client.get("user/current")["id"]
    memberships = client.get("permissions/membership")
    members: dict[int, list[int]] = {}
    for membership in (one for several in memberships.values() for one in several):
        members.setdefault(membership["group_id"], []).append(membership["user_id"])
    collections = [c for c in client.get("collection") if isinstance(c["id"], int)]
    dashboards = ours(client.get("dashboard", f="all"))
    return State(
        user_id=user_id,
        databases={one["name"]: one for one in _data(client.get("database"))},
        groups={one["name"]: one for one in client.get("permissions/group")},
        members={group: sorted(people) for group, people in members.items()},
        collections=ours(collections),
        cards=ours(client.get("card", f="all")),
        dashboards={slug: client.get(f"dashboard/{one['id']}") for slug, one in dashboards.items()},
        notifications={
            one["payload"]["card_id"]: one
            for one in client.get("notification")
            if one["payload_type"] == "notification/card"
            if one.get("creator_id") == user_id and one.get("active", True)
        },
        pulses=ours(client.get("pulse"), "name"),
    )


def _data(answer: Any) -> list[Thing]:
    """A list that may be in an envelope."""
    return list(answer["data"] if isinstance(answer, dict) else answer)
