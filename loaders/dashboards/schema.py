"""The shape of `metabase/<dashboard>.yml`, as a JSON schema. docs/metabase.md explains it."""

from __future__ import annotations

from typing import Any

SHOWN = ("number", "line", "bar", "area", "row", "table")

SLUG = "^[a-z][a-z0-9_]*$"
_NAME = {"type": "string", "pattern": SLUG}
_TEXT = {"type": "string", "pattern": r"\S"}
_NAMES = {"type": "array", "items": _NAME, "minItems": 1, "uniqueItems": True}
_COLUMNS = {"oneOf": [_NAME, _NAMES]}
_UNITS = {"oneOf": [_TEXT, {"type": "object", "additionalProperties": _TEXT}]}
_RECIPIENTS = {"type": "array", "items": _TEXT, "minItems": 1, "uniqueItems": True}
_RHYTHM = {
    "type": "string",
    "pattern": r"^(hour|day ([01]\d|2[0-3]):00|(mon|tues|wednes|thurs|fri|satur|sun)day"
    r" ([01]\d|2[0-3]):00)$",
}


def _object(required: str, **properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": required.split(),
        "additionalProperties": False,
    }


def _some(item: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "minProperties": 1,
        "propertyNames": {"pattern": SLUG},
        "additionalProperties": item,
    }


_CARD = _object(
    "title show",
    title=_TEXT,
    text=_TEXT,
    show={"enum": list(SHOWN)},
    unit=_UNITS,
    sql=_TEXT,
    model=_NAME,
    x=_COLUMNS,
    y=_COLUMNS,
    sum=_COLUMNS,
    by=_NAME,
    where=_TEXT,
    filters={"type": "object", "additionalProperties": _NAME},
    stacked={"type": "boolean"},
) | {"oneOf": [{"required": ["sql"]}, {"required": ["model", "x"]}]}

DASHBOARD: dict[str, Any] = _object(
    "dashboard title text collection access cards rows",
    dashboard=_NAME,
    title=_TEXT,
    text=_TEXT,
    collection=_TEXT,
    access=_NAMES,
    for_each={"const": "partner"},
    filters=_some(
        _object("title type", title=_TEXT, type={"enum": ["date", "text"]}, default=_TEXT)
    ),
    cards=_some(_CARD),
    rows={
        "type": "array",
        "minItems": 1,
        "items": {
            "type": "array",
            "minItems": 1,
            "maxItems": 4,
            "items": {"type": "string", "pattern": r"^[a-z][a-z0-9_]*(:[1-9])?$"},
        },
    },
    alerts=_some(
        _object(
            "title text every to",
            title=_TEXT,
            text=_TEXT,
            sql=_TEXT,
            card=_NAME,
            when={"enum": ["rows", "empty"]},
            every=_RHYTHM,
            to=_RECIPIENTS,
        )
        | {"oneOf": [{"required": ["sql"]}, {"required": ["card", "when"]}]}
    ),
    subscriptions=_some(_object("every to", every=_RHYTHM, to=_RECIPIENTS)),
)
