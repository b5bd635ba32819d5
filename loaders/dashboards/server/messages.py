"""Alerts and subscriptions: who is told of what, and when."""

from __future__ import annotations

from typing import Any

from loaders.dashboards.declared import Alert, Subscription
from loaders.dashboards.server.bodies import Body
from loaders.dashboards.server.marks import marked
from loaders.dashboards.server.placed import Placed, group_of
from loaders.dashboards.server.state import State, Thing
from loaders.dashboards.server.writer import Change, Ids, Writer, differences

# Twenty past, so that the last whole hour is published by then.
_EVERY_HOUR = "0 20 * * * ? *"
_DAYS = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")


def write_alerts(writer: Writer, state: State, ids: Ids, placed: Placed) -> None:
    """Make and mend the alerts of a dashboard. One of ours is known by its card."""
    for slug, alert in placed.dashboard.alerts.items():
        full = f"{placed.slug}/alerts/{slug}"
        card = ids.cards[full]
        body = _notification(alert, card, placed, ids)
        there = state.notifications.get(card)
        if there is None:
            writer.write(Change("create", "alert", full), "POST", "notification", body)
        elif differs := differences(_comparable(body), _comparable(there)):
            change = Change("update", "alert", full, differs)
            writer.write(change, "PUT", f"notification/{there['id']}", _merged(there, body))


def write_subscriptions(writer: Writer, state: State, ids: Ids, placed: Placed) -> None:
    """Make and mend who gets a dashboard by mail. Members of a group are named one by one."""
    for slug, one in placed.dashboard.subscriptions.items():
        full = f"{placed.slug}/{slug}"
        recipients = _people(one, placed, state, ids)
        if not recipients:
            who = " and ".join(group_of(name, placed.partner) for name in one.to)
            writer.notes.append(f"{full} is sent to nobody: {who} has no members yet.")
            continue
        body = _pulse(full, one, placed, ids, recipients)
        there = state.pulses.get(full)
        if there is None:
            writer.write(Change("create", "subscription", full), "POST", "pulse", body)
        elif differs := differences(_sent(body), _sent(there)):
            change = Change("update", "subscription", full, differs)
            changed = {k: v for k, v in body.items() if k != "dashboard_id"}  # which stays
            writer.write(change, "PUT", f"pulse/{there['id']}", changed)


def end_leftovers(writer: Writer, state: State, wanted: list[Placed]) -> None:
    """End alerts and subscriptions that are ours and in no file any more."""
    alerts = {f"{p.slug}/alerts/{slug}" for p in wanted for slug in p.dashboard.alerts}
    for slug, card in state.cards.items():
        there = state.notifications.get(card["id"])
        if there is not None and slug not in alerts:
            body = {**there, "active": False}
            change = Change("archive", "alert", slug)
            writer.write(change, "PUT", f"notification/{there['id']}", body)
    subscriptions = {f"{p.slug}/{slug}" for p in wanted for slug in p.dashboard.subscriptions}
    for slug, there in state.pulses.items():
        if slug not in subscriptions:
            change = Change("archive", "subscription", slug)
            writer.write(change, "PUT", f"pulse/{there['id']}", {"archived": True})


def _notification(alert: Alert, card: int, placed: Placed, ids: Ids) -> Body:
    return {
        "payload_type": "notification/card",
        "payload": {"card_id": card, "send_condition": "has_result", "send_once": False},
        "subscriptions": [
            {"type": "notification-subscription/cron", "cron_schedule": cron(alert.every)}
        ],
        "handlers": [
            {
                "channel_type": "channel/email",
                "recipients": [_recipient(name, placed, ids) for name in alert.to],
            }
        ],
    }


def _recipient(name: str, placed: Placed, ids: Ids) -> Body:
    if "@" in name:
        return {"type": "notification-recipient/raw-value", "details": {"value": name}}
    group = ids.groups[group_of(name, placed.partner)]
    return {"type": "notification-recipient/group", "permissions_group_id": group}


def _merged(there: Thing, body: Body) -> Body:
    """What Metabase knows of an alert, with what we say of it."""
    payload = {**there["payload"], **body["payload"]}
    return {**there, **body, "payload": payload}


def _comparable(notification: Body) -> Body:
    """What of an alert is compared."""
    return {
        "condition": notification["payload"].get("send_condition"),
        "schedule": [s.get("cron_schedule") for s in notification.get("subscriptions") or []],
        "recipients": sorted(
            str(r.get("permissions_group_id") or r.get("user_id") or r.get("details"))
            for handler in notification.get("handlers") or []
            for r in handler.get("recipients") or []
        ),
    }


def _people(one: Subscription, placed: Placed, state: State, ids: Ids) -> list[Body]:
    people = {
        member
        for name in one.to
        if "@" not in name
        for member in state.members.get(ids.groups[group_of(name, placed.partner)], [])
    }
    addresses = sorted(name for name in one.to if "@" in name)
    return [*({"id": member} for member in sorted(people)), *({"email": a} for a in addresses)]


def _pulse(full: str, one: Subscription, placed: Placed, ids: Ids, people: list[Body]) -> Body:
    rhythm, _, rest = one.every.partition(" ")
    weekly = rhythm not in ("hour", "day")
    cards = ids.dashcards[placed.slug]
    meant = {"every": one.every, "to": list(one.to)}
    return {
        "name": marked(placed.dashboard.title, full, meant),
        "dashboard_id": ids.dashboards[placed.slug],
        "cards": [
            {"id": card, "dashboard_card_id": there, "include_csv": False, "include_xls": False}
            for card, there in sorted(cards.items())
        ],
        "channels": [
            {
                "channel_type": "email",
                "enabled": True,
                "schedule_type": {"hour": "hourly", "day": "daily"}.get(rhythm, "weekly"),
                "schedule_hour": int(rest[:2]) if rest else None,
                "schedule_day": rhythm[:3] if weekly else None,
                "schedule_frame": None,
                "recipients": people,
            }
        ],
        "skip_if_empty": True,
    }


def _sent(pulse: Body) -> Body:
    """What of a subscription is compared."""
    keys = ("enabled", "schedule_type", "schedule_hour", "schedule_day")
    return {
        "name": pulse.get("name"),
        "cards": sorted(card["id"] for card in pulse.get("cards") or []),
        "channels": [
            {
                **{key: channel.get(key) for key in keys},
                "recipients": sorted(_who(r) for r in channel.get("recipients") or []),
            }
            for channel in pulse.get("channels") or []
        ],
    }


def _who(recipient: dict[str, Any]) -> str:
    return str(recipient.get("id") or recipient.get("email"))


def cron(every: str) -> str:
    """A rhythm in the words of Quartz, in which Sunday is the first day."""
    rhythm, _, rest = every.partition(" ")
    if rhythm == "hour":
        return _EVERY_HOUR
    if rhythm == "day":
        return f"0 0 {int(rest[:2])} * * ? *"
    return f"0 0 {int(rest[:2])} ? * {_DAYS.index(rhythm) + 1} *"
