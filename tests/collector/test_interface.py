"""The interface as it is described, and bodies that nobody described."""

from __future__ import annotations

import gzip
import json
import os
import random
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from collecting import LONG, Collector, assert_balanced, collecting, event, token
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from loaders.contracts import load_contracts
from loaders.home import init_home

RELAXED = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    print_blob=True,
)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collector]:
    home = init_home(tmp_path_factory.mktemp("interface") / "home")[0]
    bearer = token(home)
    with collecting(home) as collector:
        collector.client.headers["x-bearer"] = bearer
        yield collector
        collector.drained()
        assert '"event":"failed"' not in collector.said()
    assert_balanced(home)


@pytest.fixture(scope="module")
def bearer(running: Collector) -> str:
    return running.client.headers["x-bearer"]


@pytest.fixture(scope="module")
def described(running: Collector) -> dict[str, Any]:
    found: dict[str, Any] = running.client.get(running.url("/openapi.json")).json()
    return found


def resolved(described: dict[str, Any], name: str) -> Draft202012Validator:
    """A validator of one of the schemas; OpenAPI 3.1 takes its dialect of JSON Schema as it is."""
    return Draft202012Validator(described["components"]["schemas"][name])


def test_the_description_is_openapi(described: dict[str, Any]):
    assert described["openapi"] == "3.1.0"
    assert {"title", "version"} <= set(described["info"])
    for schema in described["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)
    tables = {table for table, contract in load_contracts().items() if contract.silver}
    assert {f"/v1/{table}:batch" for table in tables} <= set(described["paths"])
    operations = [o["operationId"] for path in described["paths"].values() for o in path.values()]
    assert len(set(operations)) == len(operations)
    for reference in references(described):
        assert reference.removeprefix("#/components/schemas/") in described["components"]["schemas"]


def references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        yield from ([value["$ref"]] if "$ref" in value else [])
        value = list(value.values())
    if isinstance(value, list):
        for inner in value:
            yield from references(inner)


def test_what_is_described_is_what_is_said(
    running: Collector, bearer: str, described: dict[str, Any]
):
    assert resolved(described, "attempts").is_valid(event("d1"))
    assert resolved(described, "attempts").is_valid(event("d1", eventId="x"))
    assert not resolved(described, "attempts").is_valid({"event_id": "d1"})
    accepted = running.post([event("d1"), 1], bearer)
    resolved(described, "Reply").validate(accepted.json())
    refused = [(b"{", bearer, "attempts"), (b"[]", "no", "attempts"), (b"[]", bearer, "x")]
    known = described["paths"]["/v1/attempts:batch"]["post"]["responses"]
    for sent in refused:
        reply = running.post(*sent)
        resolved(described, "Error").validate(reply.json())
        assert str(reply.status_code) in known


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=10,
)
FIELDS = sorted({name for c in load_contracts()["attempts"].sent_columns for name in c.spellings})
EVENTS = st.dictionaries(st.sampled_from(FIELDS) | st.text(max_size=8), VALUES, max_size=8)


def assert_answered(reply: Any, count: int | None = None) -> None:
    assert reply.status_code < 500, reply.text
    if reply.status_code == 202:
        told = reply.json()
        if count is not None:
            assert told["accepted"] + told["duplicates"] + len(told["rejected"]) == count
    else:
        assert set(reply.json()) == {"code", "message", "trace_id"}


@RELAXED
@given(
    body=st.binary(max_size=300), lines=st.booleans(), packed=st.sampled_from(["", "gzip", "zstd"])
)
def test_any_bytes(running: Collector, bearer: str, body: bytes, lines: bool, packed: str):
    kind = "application/x-ndjson" if lines else "application/json"
    encoding = {"content-encoding": packed} if packed else {}
    assert_answered(running.post(body, bearer, **{"content-type": kind}, **encoding))
    if packed == "gzip":
        again = running.post(gzip.compress(body), bearer, **{"content-type": kind}, **encoding)
        assert_answered(again)


@RELAXED
@given(events=st.lists(EVENTS | VALUES, max_size=5))
def test_any_events(running: Collector, bearer: str, events: list[Any]):
    """Of any content: told in numbers that add up, and landed or in the dead letters."""
    body = json.dumps(events).encode()
    is_json = b"NaN" not in body and b"Infinity" not in body
    reply = running.post(body, bearer)
    assert_answered(reply, len(events))
    if is_json:
        assert reply.status_code == 202


HEADERS = ("traceparent", "x-idempotency-key", "content-type", "content-encoding")


@settings(RELAXED, max_examples=600 if LONG else 200)
@given(
    header=st.sampled_from(HEADERS),
    value=st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=60),
)
def test_any_headers(running: Collector, bearer: str, header: str, value: str):
    assert_answered(running.post([event("h")], bearer, **{header: value.strip()}))


@settings(RELAXED, max_examples=60 if LONG else 15)
@given(bearer=st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=30))
def test_any_token(running: Collector, bearer: str):
    """A few: each that is refused waits for a quarter of a second, as it should."""
    assert_answered(running.post([event("h")], bearer or "x"))


# What it makes of all tables but the one whose description has conditions, which it cannot fulfil;
# of that one, only the phase that breaks one rule after the other, and that takes a minute.
EVENTS = "events:batch$"
SCHEMATHESIS = {
    "of all but events": ["--exclude-path-regex", EVENTS, "--phases", "coverage,fuzzing"],
    "of events": ["--include-path-regex", EVENTS, "--phases", "coverage"],
}


@pytest.mark.parametrize("which", SCHEMATHESIS if LONG else list(SCHEMATHESIS)[:1])
def test_schemathesis(
    running: Collector, bearer: str, dice: random.Random, tmp_path: Path, tell: Any, which: str
):
    """What another reads out of the description, and what he makes of it: no reply breaks it."""
    seed, examples = dice.randrange(2**31), 500 if LONG else 4
    command = [sys.executable, "-m", "schemathesis.cli", "run", running.url("/openapi.json")]
    options = ["--seed", str(seed), "--max-examples", str(examples), *SCHEMATHESIS[which]]
    # A refused event is part of a 202; and a key may come again, with another body.
    unlike = ["--exclude-checks", "negative_data_rejection,positive_data_acceptance"]
    result = subprocess.run(
        [*command, *options, *unlike, "-H", f"Authorization: Bearer {bearer}"],
        cwd=tmp_path,
        env={**os.environ, "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout[-5000:].replace(bearer, "TOKEN")
    (cases,) = re.findall(r"(\d+) generated, \d+ passed", result.stdout)
    assert int(cases) > 50
    tell(f"schemathesis, {which}: {cases} requests, seed {seed}")
