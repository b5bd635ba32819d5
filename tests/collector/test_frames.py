"""Records of the spool as bytes: what goes in comes out, also of an older version's spool."""

from __future__ import annotations

import pytest

from loaders.collector.frames import Event, Origin, decode, encode

ORIGIN = Origin("attempts", "web", "t", "2026-05-01T00:00:00+00:00", "ab" * 16)
# As it was written before a verdict had a producer.
OLD = (
    b'\x93ASY\xcad\xb9(\x05\x00\x00\x00\x00\x00\x00\x00\x10\x00\x00\x00\xba\x00+\x00{"table":"attempts",'
    b'"source":"web","token":"t","received_at":"20'
    b'26-05-01T00:00:00+00:00","trace_id":"abababa'
    b'babababababababababababab","tenant":null,"re'
    b'gion":null,"idempotency_key":null}["envelope'
    b'_violation","/action","e",0,true]{"event_id"'
    b':"e"}'
)
REFUSED = Event(b'{"event_id":"e"}', "envelope_violation", "/action", "e")


@pytest.mark.parametrize(
    "event",
    [
        Event(b"{}"),
        REFUSED,
        Event(None, "pii_forbidden", None, "e", producer="api-1", sequence=7),
        Event(b"{}", "time_violation", "/timestamp", "e", producer="api-1"),
        Event(None, "duplicate_exact", duplicates=3),
    ],
)
def test_an_event_comes_out_as_it_went_in(event: Event):
    record = decode(encode(5, ORIGIN.encoded(), event))
    assert record is not None
    assert (record.sequence, record.origin, record.event) == (5, ORIGIN, event)


def test_a_record_of_an_older_spool_is_read():
    record = decode(OLD)
    assert record is not None
    assert (record.sequence, record.origin, record.event) == (5, ORIGIN, REFUSED)
