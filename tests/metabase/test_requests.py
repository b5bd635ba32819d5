"""What requests hold, and that the document they are held against refuses what is wrong."""

from __future__ import annotations

from contract import violations

from loaders.dashboards.declared import read_dashboards
from loaders.dashboards.server.bodies import WIDTH, grid
from loaders.dashboards.server.messages import cron


def test_rows_fill_the_grid():
    """No card over another, none over the edge, no gap in a row."""
    for dashboard in read_dashboards():
        cells: set[tuple[int, int]] = set()
        for place in grid(dashboard).values():
            assert place["col"] + place["size_x"] <= WIDTH
            its = {
                (place["row"] + y, place["col"] + x)
                for x in range(place["size_x"])
                for y in range(place["size_y"])
            }
            assert not cells & its, dashboard.slug
            cells |= its


def test_rhythms_are_those_of_quartz():
    """Worked out by hand from Quartz's own description: seconds first, Sunday is 1."""
    assert cron("hour") == "0 20 * * * ? *"
    assert cron("day 09:00") == "0 0 9 * * ? *"
    assert cron("monday 08:00") == "0 0 8 ? * 2 *"
    assert cron("saturday 23:00") == "0 0 23 ? * 7 *"


def test_the_document_refuses_what_is_wrong():
    """Planted faults in requests: without these the stand-in would take anything."""
    card = {"name": "n", "display": "line", "dataset_query": {}, "visualization_settings": {}}
    assert violations("POST", "/api/card", {}, card) == []
    faults = [
        ("POST", "/api/card", {}, {k: v for k, v in card.items() if k != "display"}),
        ("POST", "/api/card", {}, card | {"colour": "red"}),
        ("POST", "/api/alert", {}, card),
        ("GET", "/api/card", {}, None),
        ("GET", "/api/card", {"f": "all", "g": "none"}, None),
        ("PUT", "/api/dashboard/1", {}, {"dashcards": [{"id": "one"}]}),
        ("POST", "/api/notification", {}, {"payload_type": "notification/card"}),
        (
            "POST",
            "/api/notification",
            {},
            {
                "payload_type": "notification/card",
                "payload": {"card_id": 1, "send_condition": "sometimes"},
            },
        ),
    ]
    for fault in faults:
        assert violations(*fault), fault
