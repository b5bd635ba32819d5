"""One sender of the crash test, in a process of its own.

    python crash_sender.py URL BEARER SENDER SEED ALLOWED OUT

Sends event n = 0, 1, 2, ... of its own, in requests of random size, each until it is answered with
202, as long as the file ALLOWED allows: two numbers of 8 bytes, how many events may be sent, and
whether these are all. Even senders give their requests idempotency keys. In the end OUT has what it
did, as JSON: `sent` events, all of them answered, and `again`, the spans of those that may have
come twice.
"""

from __future__ import annotations

import http.client
import json
import random
import struct
import sys
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

SIZES = (1, 1, 5, 200, 1_000, 2_000)  # events of a request
BROKEN = 97  # every so many events there is one that is refused
ALLOWED = struct.Struct("<qq")
_EVENT = (
    '{"event_id":"%d-%d","timestamp":"%s","action":"login","status":"success",'
    '"ip":"192.0.2.%d","domain":"play.example","path":"/api/login","duration":%d}'
)


def main(url: str, bearer: str, sender: int, seed: int, allowed: Path, out: Path) -> None:
    """Send until all is sent, and tell."""
    dice, post = random.Random(seed), Posting(url, bearer)
    sent, again, requests, duplicates = 0, [], 0, 0
    while True:
        most, is_all = ALLOWED.unpack(allowed.read_bytes())
        size = min(dice.choice(SIZES), most - sent)
        if size <= 0:
            if is_all:
                break
            time.sleep(0.01)
            continue
        body = "\n".join(event(sender, number) for number in range(sent, sent + size)).encode()
        reply, is_again = post.until_answered(body, f"{sender}-{sent}" if has_keys(sender) else "")
        if is_again:
            again.append([sent, sent + size - 1])
        sent, requests = sent + size, requests + 1
        duplicates += reply["duplicates"]
    facts = {"sender": sender, "sent": sent, "again": again, "requests": requests}
    out.write_text(json.dumps(facts | {"duplicates": duplicates}))


def has_keys(sender: int) -> bool:
    return sender % 2 == 0


def event(sender: int, number: int) -> str:
    time = "never" if number % BROKEN == 0 else f"2026-05-{1 + number % 28:02d}T10:00:00Z"
    return _EVENT % (sender, number, time, number % 250, number)


class Posting:
    """Requests over a connection that is opened anew whenever it ends."""

    def __init__(self, url: str, bearer: str) -> None:
        self._host = urlsplit(url).netloc
        self._headers = {
            "Authorization": f"Bearer {bearer}",
            "Content-Type": "application/x-ndjson",
        }
        self._connection: http.client.HTTPConnection | None = None

    def until_answered(self, body: bytes, key: str) -> tuple[dict[str, Any], bool]:
        """The reply, and whether the collector may have taken the body more than once."""
        headers = self._headers | ({"X-Idempotency-Key": key} if key else {})
        is_again = False
        while True:
            try:
                if self._connection is None:
                    self._connection = http.client.HTTPConnection(self._host, timeout=60)
                    self._connection.connect()
                self._connection.request("POST", "/v1/attempts:batch", body, headers)
                response = self._connection.getresponse()
                content = response.read()
                if response.status == 202:
                    return json.loads(content), is_again
                assert response.status == 503, content
            except ConnectionRefusedError:
                self._connection = None  # nobody is there
            except (OSError, http.client.HTTPException):
                self._connection, is_again = None, True
            time.sleep(0.01)


if __name__ == "__main__":
    main(*sys.argv[1:3], *map(int, sys.argv[3:5]), *map(Path, sys.argv[5:7]))
