"""The shape of `reports/<name>.yml`, as a JSON schema."""

from __future__ import annotations

from typing import Any

PERIODS = ("hour", "day", "week", "month")

_NAME = {"type": "string", "pattern": "^[a-z][a-z0-9_]*$"}
_TEXT = {"type": "string", "pattern": r"\S"}
_NAMES = {"type": "array", "items": _NAME, "uniqueItems": True}
_SOME = _NAMES | {"minItems": 1}


def _object(required: str, **properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": required.split(),
        "additionalProperties": False,
    }


REPORT: dict[str, Any] = _object(
    "title text shown tables",
    title=_TEXT,
    text=_TEXT,
    shown={"type": "integer", "minimum": 1},
    audience={"enum": ["internal", "partner"]},
    tables={
        "type": "array",
        "minItems": 1,
        "items": _object(
            "name title mart period measures",
            name=_NAME,
            title=_TEXT,
            text=_TEXT,
            mart=_NAME,
            period=_object(
                "column",
                column=_NAME,
                grain={"enum": list(PERIODS)},
                grain_column=_NAME,
                grains={"type": "array", "items": {"enum": list(PERIODS)}, "minItems": 1},
                title=_TEXT,
            )
            | {"oneOf": [{"required": ["grain"]}, {"required": ["grain_column", "grains"]}]},
            by=_NAMES,
            where=_TEXT,
            filters=_NAMES,
            needs=_NAMES,
            measures={
                "type": "array",
                "minItems": 1,
                "items": _object(
                    "name title unit",
                    name=_NAME,
                    title=_TEXT,
                    unit=_TEXT,
                    sum=_NAME,
                    ratio=_SOME | {"minItems": 2, "maxItems": 2},
                    value=_NAME,
                )
                | {"oneOf": [{"required": [kind]} for kind in ("sum", "ratio", "value")]},
            },
            charts={
                "type": "array",
                "items": _object(
                    "title kind y",
                    title=_TEXT,
                    kind={"enum": ["line", "columns", "ranking"]},
                    x=_SOME,
                    y=_SOME,
                    series=_NAME,
                    facet=_NAME,
                    own_scales={"type": "boolean"},
                    top={"type": "integer", "minimum": 1},
                    top_by=_NAME,
                    over={"enum": ["last", "all"]},
                ),
            },
        ),
    },
)
