"""The middleware over WSGI and ASGI applications, called by protocol: it reports, and no more."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from wsgiref.util import FileWrapper
from wsgiref.validate import validator

import pyarrow.parquet as pq
import pytest
from applications import (
    FORM,
    HEADERS,
    KINDS,
    QUERY,
    Fault,
    Wsgi,
    asgi,
    call_asgi,
    call_wsgi,
    extract,
)
from playing import assert_whole, emitting, playing, until

from loaders.client.exchange import Exchange, client_address, networks
from loaders.client.middleware import AsgiMiddleware, WsgiMiddleware
from loaders.client.recorder import Recorder
from loaders.home import Home
from loaders.landing.batches import land_file

ACTIONS = {"/api/signup/*": "signup", "GET /api/ping": "validate"}
OURS = {"trusted_proxies": ["10.0.0.0/8"]}


class Reported(list[dict[str, Any]]):
    """Stands in for the emitter where only the event matters."""

    def __init__(self) -> None:
        super().__init__()
        self.missed: list[str] = []

    def emit(self, event: dict[str, Any]) -> None:
        self.append(event)

    def miss(self, code: str) -> None:
        self.missed.append(code)


def over_wsgi(recorder: Any) -> Callable[..., Any]:
    return lambda kind, **k: call_wsgi(WsgiMiddleware(Wsgi(), recorder), kind, **k)


def over_asgi(recorder: Any) -> Callable[..., Any]:
    return lambda kind, **k: call_asgi(AsgiMiddleware(asgi, recorder), kind, **k)


BOTH = [over_wsgi, over_asgi]


@pytest.mark.parametrize("kind", KINDS)
def test_a_reply_is_the_same_with_and_without(kind: str):
    reported = Reported()
    recorder = Recorder(reported, ACTIONS, extract)
    plain, wrapped = Wsgi(), Wsgi()
    assert call_wsgi(WsgiMiddleware(wrapped, recorder), kind) == call_wsgi(plain, kind)
    assert wrapped.closed == plain.closed
    assert call_asgi(AsgiMiddleware(asgi, recorder), kind) == call_asgi(asgi, kind)
    assert len(reported) == 2


@pytest.mark.parametrize("over", BOTH)
def test_every_field(over: Any):
    reported = Reported()
    over(Recorder(reported, ACTIONS, extract, **OURS))("list")
    (event,) = reported
    assert event["timestamp"].endswith("+00:00")
    assert 0 < event["duration"] < 60 * 10**9
    said = {k: v for k, v in event.items() if k not in ("timestamp", "duration", "resp")}
    assert said == {
        "action": "signup",
        "status": "success",
        "user_agent": HEADERS["User-Agent"],
        "ip": "203.0.113.9",
        "geo": "DE",
        "domain": "play.example.com",
        "path": "/api/signup/list",
        "query": QUERY,
        "referrer": HEADERS["Referer"],
        "aff_data": FORM["aff"],
        "additional_data": {"password": FORM["password"]},
        **{name: FORM[name] for name in ("email", "phone", "country", "currency", "fp")},
    }
    assert json.loads(event["resp"])["n"] == len(json.dumps(FORM))


@pytest.mark.parametrize("over", BOTH)
def test_how_it_ended(over: Any):
    reported = Reported()
    call = over(Recorder(reported, ACTIONS, extract))
    raised = [call(kind)[1] for kind in KINDS]
    ends = {kind: (e["status"], e.get("error_code")) for kind, e in zip(KINDS, reported, strict=1)}
    assert ends == {
        "list": ("success", None),
        "pieces": ("success", None),
        "refused": ("error", "email_taken"),
        "empty": ("success", None),
        "early": ("error", "server_error"),
        "late": ("error", "server_error"),
    }
    assert raised == ["", "", "", "", "Fault", "Fault"]


@pytest.mark.parametrize("over", BOTH)
def test_it_lands_without_dead_letters_and_without_secrets(over: Any, home: Home, tmp_path: Path):
    """End to end: what the collector got is a file that lands whole."""
    with playing() as collector:
        with emitting(collector, spool_dir=tmp_path / "spool") as emitter:
            call = over(Recorder(emitter, ACTIONS, extract, **OURS))
            for kind in KINDS:
                call(kind)
            until(lambda: len(collector.events) == len(KINDS))
        assert_whole(collector.events, len(KINDS))
        sent = "".join(json.dumps(event) + "\n" for event in collector.events)
    assert "hunter2" not in sent
    file = tmp_path / "sent.jsonl"
    file.write_text(sent)
    result = land_file(home, "attempts", file)
    assert (result.accepted, result.rejected) == (len(KINDS), 0)
    rows = [
        row
        for path in (home.bronze / "attempts").glob("ingest_date=*/*.parquet")
        for row in pq.ParquetFile(path).read().to_pylist()
    ]
    assert len(rows) == len(KINDS)
    whole = next(row for row in rows if row["path"].endswith("/list"))
    assert {name: whole[name] for name in ("email", "phone", "geo", "ip", "producer")} == {
        "email": FORM["email"],
        "phone": FORM["phone"],
        "geo": "DE",
        "ip": "203.0.113.9",
        "producer": emitter.producer,
    }
    assert json.loads(whole["aff_data"]) == FORM["aff"]
    assert {row["sequence"] for row in rows} == set(range(len(KINDS)))


@pytest.mark.parametrize("over", BOTH)
def test_other_requests_are_left_alone(over: Any):
    reported = Reported()
    call = over(Recorder(reported, ACTIONS))
    keys = ("path", "method") if over is over_asgi else ("PATH_INFO", "REQUEST_METHOD")
    for path, method in [("/x/list", "POST"), ("/api/signup/a/list", "POST")]:
        call("list", **dict(zip(keys, (path, method), strict=True)))
    call("list", **{keys[1]: "GET"})
    assert reported == []


def test_other_kinds_of_asgi_are_left_alone():
    app = AsgiMiddleware(asgi, Recorder(Reported(), ACTIONS))
    assert call_asgi(app, "", type="lifespan") == ([{"type": "lifespan.seen"}], "")


@pytest.mark.parametrize("over", BOTH)
@pytest.mark.parametrize("fault", [ValueError, KeyError, RecursionError])
def test_an_extractor_that_fails_costs_its_fields_only(over: Any, fault: type[Exception]):
    def broken(_: Exchange) -> dict[str, Any]:
        raise fault

    reported = Reported()
    assert over(Recorder(reported, ACTIONS, broken))("list")[1] == ""
    assert reported[0]["action"] == "signup"
    assert "email" not in reported[0]


@pytest.mark.parametrize("over", BOTH)
def test_what_cannot_be_recorded_is_missed(over: Any, monkeypatch: pytest.MonkeyPatch):
    def broken(*_: Any) -> dict[str, Any]:
        raise RuntimeError

    monkeypatch.setattr(Exchange, "attempt", broken)
    reported = Reported()
    assert over(Recorder(reported, ACTIONS))("list")[1] == ""
    assert reported.missed == ["adapter_failure"]


@pytest.mark.parametrize("over", BOTH)
def test_an_extractor_decides(over: Any):
    reported = Reported()
    recorder = Recorder(
        reported, ACTIONS, lambda e: None if "empty" in e.path else {"action": "login"}
    )
    over(recorder)("empty")
    over(recorder)("list")
    assert [event["action"] for event in reported] == ["login"]


@pytest.mark.parametrize("over", BOTH)
def test_bodies_are_kept_up_to_a_bound(over: Any):
    reported = Reported()
    seen: list[int] = []
    recorder = Recorder(reported, ACTIONS, lambda e: seen.append(len(e.body)) or {}, max_bytes=10)
    for kind in ("list", "pieces"):
        over(recorder)(kind)
    assert seen == [10, 10]
    assert [len(event["resp"]) for event in reported] == [10, 10]


def test_pieces_go_through_one_by_one():
    """A reply that never ends is neither read ahead nor kept."""

    def endless(environ: Any, start: Any) -> Any:
        start("200 OK", [("Content-Type", "text/plain")])
        while True:
            yield b"x" * 1000

    reported = Reported()
    app = WsgiMiddleware(endless, Recorder(reported, ACTIONS))
    pieces = app({"REQUEST_METHOD": "POST", "PATH_INFO": "/api/signup/x"}, lambda *_: None)
    assert [next(iter(pieces)) for _ in range(50)] == [b"x" * 1000] * 50
    assert reported == []
    pieces.close()
    pieces.close()
    assert len(reported) == 1
    assert len(reported[0]["resp"]) == 16 << 10


def test_a_file_stays_the_servers_to_send():
    def sends_file(environ: Any, start: Any) -> Any:
        start("200 OK", [("Content-Type", "image/png")])
        return environ["wsgi.file_wrapper"](open(__file__, "rb"))  # noqa: PTH123

    reported = Reported()
    app = WsgiMiddleware(sends_file, Recorder(reported, ACTIONS))
    environ = {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": "/api/signup/x",
        "wsgi.file_wrapper": FileWrapper,
    }
    with app(environ, lambda *_: None).filelike as file:
        assert file.name == __file__
    assert "resp" not in reported[0]


@pytest.mark.parametrize("kind", ["list", "pieces", "empty"])
def test_it_is_valid_wsgi(kind: str):
    reported = Reported()

    def app(environ: Any, start: Any) -> Any:
        environ["wsgi.input"].read(5)
        start("200 OK", [("Content-Type", "text/plain")])
        return {"list": [b"ab"], "pieces": iter([b"a", b"b"]), "empty": []}[kind]

    checked = validator(WsgiMiddleware(validator(app), Recorder(reported, ACTIONS)))
    assert call_wsgi(checked, kind)[1] == ""
    assert len(reported) == 1


def test_a_reply_counts_when_it_is_there():
    """What an ASGI application does behind its reply is no part of the attempt."""
    reported = Reported()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"x"})
        assert len(reported) == 1
        raise Fault("in the background")

    sent, raised = call_asgi(AsgiMiddleware(app, Recorder(reported, ACTIONS)), "list")
    assert (len(sent), raised) == (2, "Fault")
    assert [event["status"] for event in reported] == ["success"]


@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        ("198.51.100.1", "6.6.6.6", "198.51.100.1"),  # nobody whom we trust
        ("10.0.0.1", "6.6.6.6, 203.0.113.9", "203.0.113.9"),
        ("10.0.0.1", "6.6.6.6, 203.0.113.9, 10.9.9.9", "203.0.113.9"),
        ("10.0.0.1", "10.1.1.1, 10.2.2.2", "10.1.1.1"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "203.0.113.9, nonsense", "10.0.0.1"),
        ("10.0.0.1", "203.0.113.9:4711", "203.0.113.9"),
        ("10.0.0.1", "[2001:db8::1]:4711", "2001:db8::1"),
        ("::ffff:10.0.0.1", "2001:db8::1", "2001:db8::1"),
        ("", "203.0.113.9", "203.0.113.9"),  # a socket of this host
    ],
)
def test_whose_address_it_is(peer: str, forwarded: str, address: str):
    assert client_address(peer, forwarded, networks(["10.0.0.0/8"])) == address


def test_nobody_is_believed_who_is_not_trusted():
    reported = Reported()
    over_wsgi(Recorder(reported, ACTIONS))("list")
    assert reported[0]["ip"] == "10.0.0.1"
    assert "geo" not in reported[0]


# Twins with a fault: the tests above must see it


@pytest.mark.parametrize(
    ("name", "twin"),
    [
        ("loaders.client.middleware._List", lambda reply, watch: iter(list(reply))),
        ("loaders.client.middleware._Pieces", lambda reply, watch: list(reply)),
        ("loaders.client.recorder.Recorder.report", lambda *_: 1 / 0),
    ],
)
def test_twins_that_change_the_reply(name: str, twin: Any, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(name, twin)
    red = 0
    for kind in KINDS:
        try:
            test_a_reply_is_the_same_with_and_without(kind)
        except Exception:
            red += 1
    assert red


def test_a_twin_that_believes_everybody(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("loaders.client.exchange._is_trusted", lambda *_: True)
    with pytest.raises(AssertionError):
        test_nobody_is_believed_who_is_not_trusted()


def test_a_twin_that_sends_secrets(monkeypatch: pytest.MonkeyPatch, home: Home, tmp_path: Path):
    monkeypatch.setattr("loaders.client.outbox.Outbox._cut", lambda self, lines: lines)
    with pytest.raises(AssertionError):
        test_it_lands_without_dead_letters_and_without_secrets(over_wsgi, home, tmp_path)
