"""Metabase's own OpenAPI document, against which requests are held."""

from __future__ import annotations

import gzip
import json
import re
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

FILE = Path(__file__).parent / "openapi-v0.54.2.json.gz"


@cache
def document() -> dict[str, Any]:
    """The document. Alternatives that allow everything say nothing, and are left out."""
    return _mended(json.loads(gzip.decompress(FILE.read_bytes())))


def violations(method: str, path: str, query: dict[str, str], body: Any) -> list[str]:
    """What a request has that the document does not know, or lacks that it asks for."""
    shown = f"{method} {path}"
    found = _operation(method, path)
    if found is None:
        return [f"{shown}: no such operation"]
    wrong = []
    declared = {p["name"]: p for p in found.get("parameters", []) if p["in"] == "query"}
    wrong += [f"{shown}: no parameter {name}" for name in query.keys() - declared.keys()]
    wrong += [
        f"{shown}: lacks the parameter {name}"
        for name, one in declared.items()
        if one.get("required") and name not in query
    ]
    content = found.get("requestBody", {}).get("content", {})
    schema = content.get("application/json", {}).get("schema")
    if schema is not None:
        validator = Draft202012Validator({**schema, "components": document()["components"]})
        wrong += [
            f"{shown}: {error.json_path}: {error.message[:200]}"
            for error in validator.iter_errors(body)
        ]
        unknown = set(body or {}) - set(schema.get("properties") or body or {})
        wrong += [f"{shown}: no field {name}" for name in sorted(unknown)]
    return wrong


def _operation(method: str, path: str) -> dict[str, Any] | None:
    """An operation; the document ends paths with a slash, the server takes both."""
    paths = sorted(document()["paths"].items(), key=lambda one: one[0].count("{"))
    for declared, operations in paths:
        pattern = re.sub(r"\{[^}]+\}", r"[^/]+", declared.rstrip("/"))
        if re.fullmatch(pattern, path.rstrip("/")) and method.lower() in operations:
            return dict(operations[method.lower()])
    return None


def _mended(node: Any) -> Any:
    if isinstance(node, list):
        return [_mended(one) for one in node]
    if not isinstance(node, dict):
        return node
    mended = {key: _mended(value) for key, value in node.items()}
    if alternatives := mended.pop("oneOf", None):
        # Written as one of, meant as any of.
        mended["anyOf"] = [one for one in alternatives if one] or [{}]
    return mended
