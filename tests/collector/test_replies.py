"""What a sender is told, and what is in bronze afterwards."""

from __future__ import annotations

import gzip
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest
from collecting import (
    Collector,
    assert_balanced,
    collecting,
    event,
    landed_ids,
    rows,
    sums,
    token,
)

from loaders.collector.tokens import Token, revoke_token
from loaders.home import Home, init_home

TRACE = "0af7651916cd43dd8448eb211c80319c"
EAGER = [sys.executable, str(Path(__file__).with_name("eager_collect.py"))]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collector]:
    home = init_home(tmp_path_factory.mktemp("replies") / "home")[0]
    with collecting(home) as collector:
        yield collector


@pytest.fixture(scope="module")
def bearer(running: Collector) -> str:
    text = token(running.home)
    _known(running, text)
    return text


def _known(running: Collector, text: str) -> None:
    """Wait until the collector has read the file of tokens again."""
    while running.post(b"[]", text, "no_such_table").status_code == 401:
        pass


def test_accepted_rejected_and_duplicates_are_told_and_landed(tmp_path: Path):
    home = init_home(tmp_path / "home")[0]
    bearer = token(home, "shop")
    with collecting(home) as collector:
        reply = collector.post(
            [
                event("a1"),
                event("a2", timestamp="yesterday"),
                {"event_id": "a3"},
                event("a4", additional_data={"deep": [1, {"x": "ü"}]}),
                event("a1"),
                event("a5", ip={"not": "text"}),
                event("a6", action="no such action"),
                7,
            ],
            bearer,
            traceparent=f"00-{TRACE}-b7ad6b7169203331-01",
        )
        assert reply.status_code == 202
        assert reply.json() == {
            "accepted": 2,
            "duplicates": 1,
            "rejected": [
                {"index": 1, "code": "time_violation", "pointer": "/timestamp"},
                {"index": 2, "code": "envelope_violation", "pointer": "/timestamp"},
                {"index": 5, "code": "schema_violation", "pointer": "/ip"},
                {"index": 6, "code": "schema_violation", "pointer": "/action"},
                {"index": 7, "code": "payload_malformed", "pointer": None},
            ],
            "trace_id": TRACE,
        }
        assert reply.headers["traceparent"].startswith(f"00-{TRACE}-")
        assert collector.post([event("a1")], bearer).json()["duplicates"] == 1
        collector.drained()
        assert collector.stop() == 0
        assert '"event":"ended"' in collector.said()
    assert landed_ids(home) == {"a1": 1, "a4": 1}
    assert {row["source_system"] for row in rows(home, "attempts")} == {"shop"}
    assert sums(home) == {"received": 9, "accepted": 2, "rejected": 5, "duplicates": 2}
    letters = {row["event_id"]: row["raw"] for row in rows(home, "dead_letters")}
    assert json.loads(letters["a2"]) == event("a2", timestamp="yesterday")
    traces = [json.loads(line["trace_ids"]) for line in rows(home, "landing_ledger")]
    assert TRACE in [trace for line in traces for trace in line]
    assert_balanced(home)


def test_what_only_landing_finds_is_a_dead_letter(tmp_path: Path):
    """A name twice in an object: nobody looks for that before the reply."""
    home = init_home(tmp_path / "home")[0]
    bearer = token(home)
    twice = json.dumps(event("b1"))[:-1] + ',"ip":"1.2.3.4","ip":"1.2.3.5"}'
    with collecting(home) as collector:
        assert collector.post(f"[{twice}]".encode(), bearer).json()["accepted"] == 1
        collector.drained()
    (letter,) = rows(home, "dead_letters")
    assert (letter["code"], letter["raw"]) == ("payload_malformed", twice.encode())
    assert_balanced(home)


def test_bytes_are_kept_as_they_were_sent(running: Collector, bearer: str):
    raw = '{ "event_id":"bytes", "timestamp":"no time",\n "action" : "login","x":"\\u00fc ü" }'
    reply = running.post(f"[\n {raw} ,{json.dumps(event('c1'))}]".encode(), bearer)
    assert reply.status_code == 202
    running.drained()
    kept = [r["raw"] for r in rows(running.home, "dead_letters") if r["event_id"] == "bytes"]
    assert kept == [raw.encode()]


def test_lines_and_compressed_bodies(running: Collector, bearer: str):
    lines = b"\n".join(json.dumps(event(f"n{n}")).encode() for n in range(3))
    lines += b'\r\n\n{"broken\n\xff\xfe{}'
    kind = {"content-type": "application/x-ndjson"}
    reply = running.post(gzip.compress(lines), bearer, **kind, content_encoding="gzip").json()
    assert reply["accepted"] == 3
    assert [(r["index"], r["code"]) for r in reply["rejected"]] == [
        (3, "payload_malformed"),
        (4, "payload_malformed"),
    ]
    packed = pa.compress(json.dumps([event("z1")]).encode(), "zstd", asbytes=True)
    assert running.post(packed, bearer, content_encoding="zstd").json()["accepted"] == 1
    halves = gzip.compress(b"[") + gzip.compress(b"]")
    assert running.post(halves, bearer, content_encoding="gzip").json()["accepted"] == 0
    running.drained()
    assert {"n0", "n1", "n2", "z1"} <= set(landed_ids(running.home))
    raws = {row["raw"] for row in rows(running.home, "dead_letters")}
    assert {b'{"broken', b"\xff\xfe{}"} <= raws


def _bomb(kind: str) -> bytes:
    plain = b"[" + b" " * 200_000_000 + b"]"
    return gzip.compress(plain, 1) if kind == "gzip" else pa.compress(plain, kind, asbytes=True)


@pytest.mark.parametrize("kind", ["gzip", "zstd"])
def test_a_bomb_is_refused_before_it_fills_memory(running: Collector, bearer: str, kind: str):
    assert running.process
    reply = running.post(_bomb(kind), bearer, content_encoding=kind)
    assert (reply.status_code, reply.json()["code"]) == (413, "size_violation")
    status = Path(f"/proc/{running.process.pid}/status").read_text()
    peak = int(re.search(r"VmHWM:\s+(\d+)", status)[1]) >> 10
    assert peak < 600, f"{peak} MiB"


MALFORMED = {
    "no JSON": b"hello",
    "cut off": b'[{"event_id":"x"}',
    "two commas": b"[{},,{}]",
    "something after it": b"[] []",
    "an object": b"{}",
    "no UTF-8": b'["\xff"]',
    "deep": b"[" + b"[" * 100_000 + b"]" * 100_000 + b"]",
    "NaN": b"[NaN]",
    "a comma at the end": b"[1,]",
    "empty": b"",
}


@pytest.mark.parametrize("body", MALFORMED.values(), ids=MALFORMED)
def test_a_malformed_array_is_refused_whole(running: Collector, bearer: str, body: bytes):
    reply = running.post(body, bearer)
    assert reply.status_code == 400
    assert set(reply.json()) == {"code", "message", "trace_id"}
    assert reply.json()["code"] == "payload_malformed"


def test_limits_of_a_body(running: Collector, bearer: str):
    too_many = b"[" + b",".join([b"1"] * 10_001) + b"]"
    assert running.post(too_many, bearer).status_code == 413
    assert running.post(b"[" + b" " * 10_000_000 + b"]", bearer).status_code == 413
    cut = gzip.compress(b"[]")[:-4]
    assert running.post(cut, bearer, content_encoding="gzip").status_code == 400
    assert running.post(b"[]", bearer, content_encoding="br").status_code == 415
    assert running.post(b"[]", bearer, content_type="text/csv").status_code == 415
    assert running.post(b"[]", bearer, x_idempotency_key="a b").status_code == 400


def test_who_may_send_what(running: Collector, bearer: str):
    home = running.home
    narrow = token(home, "till", tables=("deposit_attempts",))
    _known(running, narrow)
    assert running.post([event("s1")], narrow).status_code == 403
    assert running.post(b"[]", narrow, "deposit_attempts").status_code == 202
    assert running.post(b"[]", bearer, "landing_ledger").status_code == 404
    assert running.post(b"[]", bearer, "no_such_table").status_code == 404
    forged = bearer[:-1] + ("A" if bearer[-1] != "A" else "B")
    for wrong in ("-", "nonsense", forged):
        reply = running.post(b"[]", wrong)
        assert (reply.status_code, reply.json()["code"]) == (401, "PERMISSION_DENIED")
    revoke_token(home, narrow.split("_")[1])
    while running.post(b"[]", narrow, "deposit_attempts").status_code == 202:
        pass
    assert bearer not in (home.path / "tokens.json").read_text()
    assert (home.path / "tokens.json").stat().st_mode & 0o777 == 0o600


def test_rate_and_quota(running: Collector):
    slow, scarce = token(running.home, "slow", rate=1), token(running.home, "scarce", quota=3)
    _known(running, scarce)
    assert running.post([event(f"r{n}") for n in range(50)], slow).status_code == 202
    reply = running.post([event("r99")], slow)
    assert (reply.status_code, reply.json()["code"]) == (429, "RATE_LIMITED")
    assert int(reply.headers["retry-after"]) > 30
    assert running.post([event("q1"), event("q2")], scarce).status_code == 202
    reply = running.post([event("q3"), event("q4")], scarce)
    assert (reply.status_code, reply.json()["code"]) == (429, "QUOTA_EXCEEDED")
    assert running.post([event("q3")], scarce).status_code == 202


def test_idempotency(running: Collector, bearer: str):
    body = [event("k1"), event("k2", timestamp="never")]
    first = running.post(body, bearer, x_idempotency_key="key-1").json()
    assert running.post(body, bearer, x_idempotency_key="key-1").json() == first
    other = running.post([event("k3")], bearer, x_idempotency_key="key-1")
    assert (other.status_code, other.json()["code"]) == (422, "IDEMPOTENCY_KEY_REUSED")
    assert running.post([event("k3")], bearer, x_idempotency_key="key-2").status_code == 202
    running.drained()
    assert (landed_ids(running.home)["k1"], landed_ids(running.home)["k3"]) == (1, 1)
    letters = [r for r in rows(running.home, "dead_letters") if r["event_id"] == "k2"]
    assert len(letters) == 1


def test_a_key_is_remembered_by_the_next_process(tmp_path: Path):
    home = init_home(tmp_path / "home")[0]
    bearer = token(home)
    with collecting(home) as collector:
        first = collector.post([event("m1")], bearer, x_idempotency_key="k").json()
        collector.stop()
        collector.start()
        assert collector.post([event("m1")], bearer, x_idempotency_key="k").json() == first
        collector.drained()
    assert sums(home)["received"] == 1


def test_not_ready_when_full(tmp_path: Path):
    """The sink is gone, so nothing drains: what is stored stays, what comes is refused."""
    home = init_home(tmp_path / "home")[0]
    bearer = token(home)
    blocked = home.bronze / ".staging"
    blocked.write_text("in the way of every batch")
    padded = [event(f"f{n}", user_agent="x" * 10_000) for n in range(60)]
    with collecting(home, "--max-spool-mb", "1", command=EAGER) as collector:
        assert collector.post(padded, bearer).status_code == 202
        reply = collector.post([event(f"g{n}", path="x" * 10_000) for n in range(60)], bearer)
        assert (reply.status_code, reply.json()["code"]) == (503, "EVENT_CAPTURE_FAILED")
        assert int(reply.headers["retry-after"]) > 0
        while (small := collector.post([event("h", path="x" * 90_000)], bearer)).status_code == 202:
            pass
        assert small.status_code == 503
        blocked.unlink()
        collector.drained()
        assert collector.client.get(collector.url("/readyz")).status_code == 200
        assert collector.post([event("i")], bearer).status_code == 202
        collector.drained()
    assert {"f0", "f59", "h", "i"} <= set(landed_ids(home))
    assert_balanced(home)


def test_nothing_that_was_sent_is_in_log_or_metrics(running: Collector, bearer: str):
    mark = "Zq7731-secret"
    running.post([event(mark, email=mark, timestamp=mark), {mark: mark}], bearer)
    running.post(mark.encode(), bearer)
    running.client.post(running.url(f"/v1/{mark}:batch"))
    running.drained()
    shown = running.said() + running.client.get(running.url("/metrics")).text
    assert mark not in shown
    assert bearer not in shown
    assert [json.loads(line) for line in running.said().splitlines()]


def test_one_collector_per_home(running: Collector):
    second = Collector(running.home)
    with pytest.raises(AssertionError):
        second.start()
    assert "Another collector works in the home" in running.said()


def test_tokens_know_their_tables(home: Home):
    assert Token("", "", "s", "t").may_send("attempts")
    assert not Token("", "", "s", "t", tables=("x",)).may_send("attempts")
