"""The interface described in OpenAPI 3.1, made from the contracts."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from loaders.collector.bodies import MAX_EVENTS
from loaders.contracts import Column, Contract
from loaders.contracts.descriptions import readable
from loaders.contracts.events import EventType, Registry

_TYPES: dict[str, list[str]] = {
    "string": ["string", "null"],
    "int64": ["integer", "string", "null"],
    "float64": ["number", "string", "null"],
    "bool": ["boolean", "string", "null"],
    "timestamp": ["string", "null"],
    "date": ["string", "null"],
    "bytes": ["string", "null"],
}
# Fields of payloads are what JSON says they are.
_FIELD_TYPES: dict[str, list[str]] = {
    "string": ["string", "integer"],
    "int64": ["integer"],
    "float64": ["number"],
    "bool": ["boolean"],
}
_REFUSALS = {
    "400": "The body cannot be parsed; nothing of it was stored.",
    "401": "No token, or one that is unknown or revoked.",
    "403": "The token may not send to this table.",
    "404": "There is no such table of events.",
    "408": "The body took too long to come.",
    "413": "More bytes or events than a request may hold.",
    "415": "A media type or encoding that is not taken.",
    "422": "The idempotency key came before with another body.",
    "429": "Too many events for now, or for today; Retry-After says when to come again.",
    "503": "The events could not be made durable; Retry-After says when to come again.",
}


def openapi(contracts: dict[str, Contract], registry: Registry, version: str) -> dict[str, Any]:
    """The document. `contracts` are those that take events, by their name in paths."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Assay collector",
            "version": version,
            "description": "Takes events. A 202 says that they are durable.",
        },
        "security": [{"token": []}],
        "paths": {
            f"/v1/{name}:batch": {"post": _operation(name, contract)}
            for name, contract in contracts.items()
        }
        | {
            "/healthz": {"get": _looking("alive", "The process lives.", {"200"})},
            "/readyz": {"get": _looking("ready", "Whether events are taken.", {"200", "503"})},
        },
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "schemas": {
                **{contract.table: _schema(contract, registry) for contract in contracts.values()},
                **{_name(event): _payload(event) for event in registry},
                "Reply": _REPLY,
                "Error": _ERROR,
                "State": _STATE,
            },
        },
    }


def _operation(name: str, contract: Contract) -> dict[str, Any]:
    event = {"$ref": f"#/components/schemas/{contract.table}"}
    return {
        "operationId": f"send_{name}",
        "summary": contract.description,
        "parameters": [
            {
                "name": "X-Idempotency-Key",
                "in": "header",
                "description": "The same key and body get the same reply, and are stored once.",
                "schema": {"type": "string", "minLength": 1, "maxLength": 255},
            },
            {"name": "traceparent", "in": "header", "schema": {"type": "string"}},
        ],
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {
                    "schema": {"type": "array", "items": event, "maxItems": MAX_EVENTS}
                },
                "application/x-ndjson": {"schema": {"type": "string"}},
            },
        },
        "responses": {
            "202": {
                "description": "The events are durable, but for those that are rejected.",
                "content": _json("Reply"),
            },
            **{status: _refusal(status, meaning) for status, meaning in _REFUSALS.items()},
        },
    }


def _refusal(status: str, meaning: str) -> dict[str, Any]:
    described: dict[str, Any] = {"description": meaning, "content": _json("Error")}
    if status in ("429", "503"):
        described["headers"] = {
            "Retry-After": {
                "description": "Seconds.",
                "required": True,
                "schema": {"type": "integer", "minimum": 1},
            }
        }
    return described


def _looking(name: str, summary: str, statuses: set[str]) -> dict[str, Any]:
    said = {"description": summary, "content": _json("State")}
    return {
        "operationId": name,
        "summary": summary,
        "security": [],
        "responses": dict.fromkeys(sorted(statuses), said),
    }


def _json(name: str) -> dict[str, Any]:
    return {"application/json": {"schema": {"$ref": f"#/components/schemas/{name}"}}}


def _schema(contract: Contract, registry: Registry) -> dict[str, Any]:
    columns = contract.sent_columns
    properties = {column.name: _property(column) for column in columns}
    rules = _required(columns)
    if contract.payload:
        properties["event_type"]["enum"] = list(registry.types)
        properties[contract.payload]["type"] = ["object", "string", "null"]
        rules += [
            _of_type(event, contract.payload, event.major == registry.newest(event.event_type))
            for event in registry
        ]
    return {
        "type": "object",
        "description": contract.description,
        "properties": properties,
        "allOf": rules,
    }


def _required(columns: Iterable[Column]) -> list[dict[str, Any]]:
    """One of several spellings may be sent."""
    return [
        {"anyOf": [{"required": [name]} for name in column.spellings]}
        for column in columns
        if column.required
    ]


def _property(column: Column) -> dict[str, Any]:
    types = list(_TYPES[column.data_type])
    if column.structured:
        types += ["object", "array"]
    if column.required:
        types.remove("null")
    return {"type": types, "description": readable(column.description)}


def _of_type(event: EventType, payload: str, is_newest: bool) -> dict[str, Any]:
    """What the payload of a type and version is; a text is the JSON of one."""
    schema = {"$ref": f"#/components/schemas/{_name(event)}"}
    return {
        "if": {
            "required": ["event_type", payload, *([] if is_newest else ["schema_version"])],
            "properties": {
                "event_type": {"const": event.event_type},
                "schema_version": {"pattern": rf"^{event.major}(\.|$)"},
            },
        },
        "then": {"properties": {payload: {"anyOf": [schema, {"type": ["string", "null"]}]}}},
    }


def _payload(event: EventType) -> dict[str, Any]:
    rules = _required(event.fields)
    return {
        "type": "object",
        "description": readable(event.description),
        "properties": {field.name: _field(field) for field in event.fields},
        **({"allOf": rules} if rules else {}),
    }


def _field(column: Column) -> dict[str, Any]:
    types = [*_FIELD_TYPES[column.data_type], *([] if column.required else ["null"])]
    limits = {"minimum": column.min, "maximum": column.max}
    return {
        "type": types,
        "description": readable(column.description),
        **{name: limit for name, limit in limits.items() if limit is not None},
        **({"enum": [*column.accepted, None]} if column.accepted else {}),
    }


def _name(event: EventType) -> str:
    return f"{event.event_type}.v{event.major}"


_REPLY: dict[str, Any] = {
    "type": "object",
    "required": ["accepted", "duplicates", "rejected", "trace_id"],
    "properties": {
        "accepted": {"type": "integer", "minimum": 0},
        "duplicates": {"type": "integer", "minimum": 0},
        "rejected": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["index", "code", "pointer"],
                "properties": {
                    "index": {"type": "integer", "minimum": 0},
                    "code": {"type": "string"},
                    "pointer": {"type": ["string", "null"]},
                },
            },
        },
        "trace_id": {"type": "string", "pattern": "^[0-9a-f]{32}$"},
    },
}
_STATE: dict[str, Any] = {
    "type": "object",
    "required": ["status"],
    "properties": {
        "status": {"type": "string"},
        "problem": {"type": ["string", "null"]},
        "backlog_records": {"type": "integer", "minimum": 0},
        "backlog_bytes": {"type": "integer", "minimum": 0},
    },
}
_ERROR: dict[str, Any] = {
    "type": "object",
    "required": ["code", "message", "trace_id"],
    "properties": {
        "code": {"type": "string"},
        "message": {"type": "string"},
        "trace_id": {"type": "string", "pattern": "^[0-9a-f]{32}$"},
    },
}
