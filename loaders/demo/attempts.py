"""Demo sign-up, login, restore-password and validation requests, with truths to be found again.

Planted, each with its figures in the answer key:

- a storm: two senders send more than 100 rate-limited sign-ups within an hour, which no other
  hour of a domain comes near, so the alert on sign-up errors must name that hour and no other;
- a slow country: its replies take 20 percent longer than everybody else's;
- errors that only a localized text tells apart, and a few that nobody knows;
- mistyped mail domains, beside real ones that look mistyped (`yahoo.ca`, `gmx.at`);
- rows delivered twice, unchanged or with another status or duration, and rows days late;
- a range of one producer's numbers that never came;
- statuses outside the vocabulary, which land, and broken lines, which must not.
"""

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from loaders.demo.columns import (
    Flags,
    Ints,
    count_words,
    hex_ids,
    pick,
    words,
    write_gzip,
    write_table,
)
from loaders.demo.people import (
    COUNTRIES,
    COUNTRY_CODES,
    LANGUAGES,
    MAIL_DOMAINS,
    TYPOS,
    People,
    make_people,
)
from loaders.demo.texts import TEXTS, UNKNOWN_TEXTS

EVENTS_PER_DAY = 28_800  # 1,200 an hour, whatever the number of events
MIN_DAYS = 3
DAY_CURVE = 1 + 0.5 * np.sin((np.arange(24) - 12) * np.pi / 12)  # quiet at 6, busy at 18
EVENTS_PER_PERSON = 6

DOMAINS = {
    "play.example": 0.70,
    "play-mirror.example": 0.12,
    "win.example": 0.10,
    "promo.example": 0.08,
}
PRODUCT_DOMAINS = 2  # the rest are landing pages, where nobody logs in
ACTIONS = ("login", "signup", "validate", "restore_password")
PRODUCT_ACTIONS = (0.732, 0.136, 0.071, 0.061)  # with the pages' actions: 60, 22, 13 and 5 percent
PAGE_ACTIONS = (0.0, 0.60, 0.40, 0.0)

STATUSES = {  # as sent: as it lands, and its share
    "success": ("success", 0.880),
    "error": ("error", 0.100),
    "blocked": ("blocked", 0.006),
    "multi acc": ("multi_account", 0.003),
    "multi_acc": ("multi_account", 0.002),
    "multiacc": ("multi_account", 0.002),
    "multi_account": ("multi_account", 0.001),
    "test": ("test", 0.006),
    "weird": ("unclassified", 0.0),  # planted by count
}
UNKNOWN_STATUSES = 5

CODES = tuple(TEXTS)
FIELDS = {  # the form field that a reply names
    "email_taken": "email",
    "password_weak": "password",
    "email_invalid": "email",
    "phone_invalid": "phone",
}
ERROR_MIX = {  # per action, in the order of CODES
    "login": (0.0, 0.74, 0.0, 0.10, 0.0, 0.15, 0.01),
    "signup": (0.44, 0.0, 0.20, 0.13, 0.12, 0.10, 0.01),
    "validate": (0.30, 0.0, 0.15, 0.28, 0.27, 0.0, 0.0),
    "restore_password": (0.0, 0.0, 0.0, 0.65, 0.0, 0.34, 0.01),
}
SHAPES = {"code": 0.35, "graphql": 0.25, "message": 0.25, "plain": 0.15}
TEXT_SHAPES = 2  # from here on a reply holds a text and no code
SENT_CODE_SHARE = 0.5  # of the replies of shape `code`: the sender fills `error_code` too
UNKNOWN_TEXT_SHARE = 0.005
SUCCESS_REPLY = '{"data":{"ok":true}}'

SLOW_COUNTRY, SLOW_PERCENT = "JP", 20
MEDIAN_NANOSECONDS, SPREAD = 220e6, 0.35

REFERRER_SHARE, QUERY_SHARE = 0.25, 0.02
REFERRERS = ("https://win.example/", "https://promo.example/", "https://search.example/")
QUERIES = ("utm_source=newsletter", "utm_source=partner", "lang=de")
PRODUCERS = {"demo-api-1": 0.6, "demo-api-2": 0.4}
LOSSY_PRODUCER, LOST_NUMBERS = "demo-api-2", 7  # from the middle of its numbers

STORM_ERRORS, STORM_SENDERS, STORM_COUNTRY = 180, 2, "TR"
STORM_HOUR_OF_DAY = 14  # of the day in the middle
STORM_DOMAIN, STORM_ACTION, STORM_CODE = "play.example", "signup", "rate_limited"
CALM_HOUR = 70  # sign-up errors that every other hour of a domain stays within

FILES = ("attempts-01.jsonl", "attempts-02.jsonl.gz", "attempts-03.csv", "attempts-04-late.jsonl")
CUTS = (0.60, 0.90)  # of the events in order of time: where the second and third file begin
LATE_SHARE = 0.01  # of the events of all days but the last
EXACT_SHARE, CONFLICT_SHARE = 0.005, 0.0005
SAMPLE = 5  # event ids that the key names


@dataclass(frozen=True)
class Draw:
    """What happens: one entry per event in order of time, words as indexes into the lists above."""

    start: np.datetime64
    days: int
    microseconds: Ints  # since the start
    storm: Flags
    person: Ints
    country: Ints
    domain: Ints
    action: Ints
    status: Ints
    code: Ints  # -1 where the event is no error, len(CODES) where nobody knows its text
    language: Ints
    shape: Ints
    duration: Ints

    @property
    def hour(self) -> Ints:
        return self.microseconds // 3_600_000_000


def write_attempts(folder: Path, events: int, seed: int, end: datetime) -> dict[str, Any]:
    """Write the demo files of `attempts`, and return their part of the answer key."""
    rng = np.random.Generator(np.random.PCG64(seed))
    people = make_people(rng, events // EVENTS_PER_PERSON, STORM_SENDERS, STORM_COUNTRY)
    draw = _draw(rng, people, events, end)
    table = _table(rng, people, draw)
    key = {
        "days": draw.days,
        "start": f"{draw.start}Z",
        "distinct_events": events,
        "actions": count_words(ACTIONS, draw.action),
        "domains": count_words(tuple(DOMAINS), draw.domain),
        "countries": count_words(COUNTRY_CODES, draw.country),
        "statuses": _statuses(draw),
        "unknown_statuses": {"weird": UNKNOWN_STATUSES},
        "error_codes": count_words((*CODES, "unclassified"), draw.code),
        "sequences": _sequences(table),
        "lost_numbers": _lost_numbers(table),
        "storm": _storm(draw),
        "slow_country": {"country": SLOW_COUNTRY, "percent": SLOW_PERCENT},
        "localized_errors": _localized_errors(draw),
        "mail_domains": _mail_domains(people, draw),
    }
    return key | _write_files(rng, folder, draw, table, end)


def _status(word: str) -> int:
    return tuple(STATUSES).index(word)


def _draw(rng: np.random.Generator, people: People, events: int, end: datetime) -> Draw:
    days = max(MIN_DAYS, -(-events // EVENTS_PER_DAY))
    start = np.datetime64(end.replace(tzinfo=None), "s") - np.timedelta64(days, "D")
    storm_hour = days // 2 * 24 + STORM_HOUR_OF_DAY
    hour = pick(rng, np.tile(DAY_CURVE, days), events)
    hour[:STORM_ERRORS] = storm_hour
    microseconds = hour * 3_600_000_000 + rng.integers(0, 3_600_000_000, events)
    order = np.argsort(microseconds, kind="stable")
    microseconds, storm = microseconds[order], order < STORM_ERRORS

    crowd = len(people.home) - STORM_SENDERS
    person = rng.integers(0, crowd, events)
    person[storm] = crowd + np.arange(STORM_ERRORS) % STORM_SENDERS
    country = people.home[person]
    domain = pick(rng, tuple(DOMAINS.values()), events)
    domain[storm] = tuple(DOMAINS).index(STORM_DOMAIN)
    action = np.where(
        domain < PRODUCT_DOMAINS,
        pick(rng, PRODUCT_ACTIONS, events),
        pick(rng, PAGE_ACTIONS, events),
    )
    action[storm] = ACTIONS.index(STORM_ACTION)

    status = pick(rng, [share for _, share in STATUSES.values()], events)
    status[storm] = _status("error")
    well = np.flatnonzero(status == _status("success"))
    status[rng.choice(well, UNKNOWN_STATUSES, replace=False)] = _status("weird")

    slow = country == COUNTRY_CODES.index(SLOW_COUNTRY)
    duration = rng.lognormal(np.log(MEDIAN_NANOSECONDS), SPREAD, events)
    languages = np.array([LANGUAGES.index(country.language) for country in COUNTRIES])
    return Draw(
        start=start,
        days=days,
        microseconds=microseconds,
        storm=storm,
        person=person,
        country=country,
        domain=domain,
        action=action,
        status=status,
        code=_codes(rng, action, status, storm, microseconds // 3_600_000_000 == storm_hour),
        language=languages[country],
        shape=pick(rng, tuple(SHAPES.values()), events),
        duration=np.where(slow, duration * (1 + SLOW_PERCENT / 100), duration).astype(np.int64),
    )


def _codes(
    rng: np.random.Generator, action: Ints, status: Ints, storm: Flags, storm_hour: Flags
) -> Ints:
    """Return what went wrong per event; in the storm's hour, nobody else is rate limited."""
    failed = status == _status("error")
    code = np.full(len(action), -1)
    for number, name in enumerate(ACTIONS):
        rows = np.flatnonzero(failed & (action == number))
        code[rows] = pick(rng, ERROR_MIX[name], len(rows))
    limited = CODES.index(STORM_CODE)
    code[storm_hour & (code == limited)] = CODES.index("captcha_failed")
    code[storm] = limited
    others = np.flatnonzero(failed & ~storm)
    strange = max(len(UNKNOWN_TEXTS), round(len(others) * UNKNOWN_TEXT_SHARE))
    code[rng.choice(others, strange, replace=False)] = len(CODES)
    return code


def _replies() -> list[str]:
    """Return every reply to an error, by code, language and shape, then those nobody knows."""
    replies = []
    for code in CODES:
        field = {"field": FIELDS[code]} if code in FIELDS else {}
        for language in LANGUAGES:
            text = TEXTS[code][language]
            extensions = {"code": code} | field
            replies += [
                _json(extensions),
                _json({"errors": [{"message": text, "extensions": extensions}]}),
                _json({"message": text}),
                text,
            ]
    return [*replies, _json({"message": UNKNOWN_TEXTS[0]}), UNKNOWN_TEXTS[1], SUCCESS_REPLY]


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _table(rng: np.random.Generator, people: People, draw: Draw) -> pa.Table:
    """Return the events as they are sent, in order of time."""
    events = len(draw.person)
    known = (draw.code >= 0) & (draw.code < len(CODES))
    unknown = draw.code == len(CODES)
    replies = _replies()
    reply = (draw.code * len(LANGUAGES) + draw.language) * len(SHAPES) + draw.shape
    reply[~known] = -1
    reply[unknown] = len(replies) - 1 - len(UNKNOWN_TEXTS) + np.arange(unknown.sum()) % 2
    reply[draw.status == _status("success")] = len(replies) - 1
    sent_code = known & (draw.shape == 0) & (rng.random(events) < SENT_CODE_SHARE)
    producer = pick(rng, tuple(PRODUCERS.values()), events)
    sequence = _sequence(producer)
    referrer = pick(rng, (*[REFERRER_SHARE / 3] * 3, 1 - REFERRER_SHARE), events)
    query = pick(rng, (*[QUERY_SHARE / 3] * 3, 1 - QUERY_SHARE), events)
    sender = people.table.take(pa.array(draw.person))
    columns = {
        "event_id": hex_ids(rng, events),
        "timestamp": pa.array(draw.start.astype("M8[us]") + draw.microseconds.astype("m8[us]")),
        "action": words(ACTIONS, draw.action),
        "status": words(tuple(STATUSES), draw.status),
        "user_agent": sender["user_agent"],
        "ip": sender["ip"],
        "geo": sender["geo"],
        "domain": words(tuple(DOMAINS), draw.domain),
        "path": words(["/graphql"], np.zeros(events, dtype=np.int64)),
        "query": words(QUERIES, np.where(query == 3, -1, query)),
        "fp": sender["fp"],
        "referrer": words(REFERRERS, np.where(referrer == 3, -1, referrer)),
        "email": sender["email"],
        "country": sender["country"],
        "currency": sender["currency"],
        "phone": sender["phone"],
        "aff_data": sender["aff_data"],
        "resp": words(replies, reply),
        "error_code": words(CODES, np.where(sent_code, draw.code, -1)),
        "duration": pa.array(draw.duration),
        "producer": words(tuple(PRODUCERS), producer),
        "sequence": pa.array(sequence),
    }
    return pa.table(columns)


def _statuses(draw: Draw) -> dict[str, int]:
    """Return how many events land with each status."""
    counts: dict[str, int] = {}
    for word, count in count_words(tuple(STATUSES), draw.status).items():
        landed = STATUSES[word][0]
        counts[landed] = counts.get(landed, 0) + count
    return counts


def _sequence(producer: Ints) -> Ints:
    """Return the running number of each event, from 1, without those that were lost."""
    sequence = np.where(producer == 0, np.cumsum(producer == 0), np.cumsum(producer == 1))
    lossy = producer == tuple(PRODUCERS).index(LOSSY_PRODUCER)
    return sequence + np.where(lossy & (sequence > lossy.sum() // 2), LOST_NUMBERS, 0)


def _sequences(table: pa.Table) -> dict[str, list[int]]:
    """Return the first and last number of each producer."""
    spans = table.group_by("producer").aggregate([("sequence", "min"), ("sequence", "max")])
    found = {span["producer"]: span for span in spans.to_pylist()}
    return {name: [found[name]["sequence_min"], found[name]["sequence_max"]] for name in PRODUCERS}


def _lost_numbers(table: pa.Table) -> dict[str, list[int]]:
    """Return the first and last of the numbers that nobody sent, by producer."""
    sent = pc.sum(pc.equal(table["producer"], LOSSY_PRODUCER)).as_py()
    return {LOSSY_PRODUCER: [sent // 2 + 1, sent // 2 + LOST_NUMBERS]}


def _storm(draw: Draw) -> dict[str, Any]:
    hour = int(draw.hour[draw.storm][0])
    domain = tuple(DOMAINS).index(STORM_DOMAIN)
    failed = (draw.action == ACTIONS.index(STORM_ACTION)) & (draw.status == _status("error"))
    cells = np.bincount(draw.hour[failed] * len(DOMAINS) + draw.domain[failed])
    stormy = hour * len(DOMAINS) + domain
    calm = int(np.delete(cells, stormy).max())
    if calm > CALM_HOUR:
        raise RuntimeError(f"The storm would drown: another hour has {calm} sign-up errors.")
    return {
        "period_start": f"{draw.start + np.timedelta64(hour, 'h')}Z",
        "domain": STORM_DOMAIN,
        "action": STORM_ACTION,
        "error_code": STORM_CODE,
        "errors": STORM_ERRORS,
        "senders": STORM_SENDERS,
        "country": STORM_COUNTRY,
        "errors_of_any_code": int(cells[stormy]),
        "most_errors_in_another_hour": calm,
    }


def _localized_errors(draw: Draw) -> dict[str, dict[str, dict[str, Any]]]:
    """Return, by code and language, the text and how many replies hold nothing but it."""
    known = (draw.code >= 0) & (draw.code < len(CODES)) & (draw.shape >= TEXT_SHAPES)
    cells = draw.code[known] * len(LANGUAGES) + draw.language[known]
    counts = np.bincount(cells, minlength=len(CODES) * len(LANGUAGES)).reshape(len(CODES), -1)
    return {
        code: {
            language: {"text": TEXTS[code][language], "errors": int(count)}
            for language, count in zip(LANGUAGES, row, strict=True)
            if count
        }
        for code, row in zip(CODES, counts, strict=True)
    }


def _mail_domains(people: People, draw: Draw) -> dict[str, Any]:
    """Return the mistyped domains with their figures, and the real ones, all to be left alone."""
    attempts = count_words(tuple(TYPOS), people.typo[draw.person])
    senders = count_words(tuple(TYPOS), people.typo[np.unique(draw.person)])
    return {
        "typos": {
            typed: {
                "meant": meant,
                "attempts": attempts.get(typed, 0),
                "people": senders.get(typed, 0),
            }
            for typed, meant in TYPOS.items()
        },
        "real": sorted({*MAIL_DOMAINS, *(country.mail_domain for country in COUNTRIES)}),
    }


def _write_files(
    rng: np.random.Generator, folder: Path, draw: Draw, table: pa.Table, end: datetime
) -> dict[str, Any]:
    """Deliver the events in four files, the last one with all that is late, doubled or broken.

    Doubles are of rows that the two JSON files delivered, so an exact one is the same to the byte.
    """
    events = table.num_rows
    file = np.searchsorted(np.array(CUTS) * events, np.arange(events), side="right")
    earlier = draw.hour < (draw.days - 1) * 24
    late = earlier & (rng.random(events) < LATE_SHARE)
    seen = ~late & (file < 2)
    exact = rng.choice(np.flatnonzero(seen), round(events * EXACT_SHARE), replace=False)
    seen[exact] = False
    seen &= draw.status == _status("success")
    conflicts = max(2, round(events * CONFLICT_SHARE))
    conflict = rng.choice(np.flatnonzero(seen), conflicts, replace=False)

    doubles = [table.take(pa.array(exact)), *_conflicts(table, conflict)]
    last = pa.concat_tables([table.filter(pa.array(late)), *doubles])
    tables = [table.filter(pa.array(~late & (file == number))) for number in range(3)]
    tables.append(last.take(pa.array(rng.permutation(last.num_rows))))
    paths = [folder / name for name in FILES]
    write_table(tables[0], paths[0])
    write_gzip(tables[1], paths[1])
    write_table(tables[2], paths[2])
    write_table(tables[3], paths[3])
    broken = _break(paths[3], end)

    files: dict[str, dict[str, Any]] = {
        path.name: {"received": part.num_rows, "accepted": part.num_rows, "rejected": {}}
        for path, part in zip(paths, tables, strict=True)
    }
    files[FILES[3]]["received"] += len(broken)
    refused = [line["code"] for line in broken]
    files[FILES[3]]["rejected"] = {code: refused.count(code) for code in sorted({*refused})}
    return {
        "files": files,
        "duplicates": {
            "exact": len(exact),
            "conflicts": len(conflict),
            "exact_event_ids": _ids(table, exact),
            "conflict_event_ids": _ids(table, conflict),
        },
        "late": {"file": FILES[3], "events": int(late.sum())},
        "broken": broken,
    }


def _ids(table: pa.Table, rows: Ints) -> list[str]:
    ids: list[str] = table["event_id"].take(pa.array(rows[:SAMPLE])).to_pylist()
    return ids


def _conflicts(table: pa.Table, rows: Ints) -> list[pa.Table]:
    """Return the rows again, half with another status, half with another duration."""
    status, duration = table.take(pa.array(rows[::2])), table.take(pa.array(rows[1::2]))
    blocked = pa.array(["blocked"] * status.num_rows)
    longer = pc.add(duration["duration"], 1_000_000)
    return [
        status.set_column(status.schema.get_field_index("status"), "status", blocked),
        duration.set_column(duration.schema.get_field_index("duration"), "duration", longer),
    ]


def _break(path: Path, end: datetime) -> list[dict[str, Any]]:
    """Spread the broken lines over the file, and return where each is and its code."""
    lines = path.read_bytes().splitlines(keepends=True)
    broken = _broken_lines(end)
    total = len(lines) + len(broken)
    where = [(2 * index + 1) * total // (2 * len(broken)) for index in range(len(broken))]
    for index, (_, _, line) in zip(where, broken, strict=True):
        lines.insert(index, line + b"\n")
    path.write_bytes(b"".join(lines))
    return [
        {"file": path.name, "line": index + 1, "fault": fault, "code": code}
        for index, (fault, code, _) in zip(where, broken, strict=True)
    ]


def _broken_lines(end: datetime) -> list[tuple[str, str, bytes]]:
    """Return the broken lines: what is wrong, the code to refuse it with, and the line.

    They name no producer, so refusing them leaves no gap in a sequence.
    """

    def line(number: int, *without: str, **changes: object) -> bytes:
        event: dict[str, object] = {
            "event_id": f"{number:032x}",
            "timestamp": (end - timedelta(hours=12)).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "action": "login",
            "status": "success",
            "domain": STORM_DOMAIN,
            "email": "demo-0@gmail.com",
            "duration": 220_000_000,
        }
        event |= changes
        return _json({name: value for name, value in event.items() if name not in without}).encode()

    return [
        ("truncated", "payload_malformed", line(1)[:-20]),
        ("no object", "payload_malformed", b'["login","success"]'),
        ("no event_id", "envelope_violation", line(3, "event_id")),
        ("no timestamp", "envelope_violation", line(4, "timestamp")),
        ("no status", "envelope_violation", line(5, "status")),
        ("event_id is a list", "envelope_violation", line(6, event_id=["a", "b"])),
        ("unparseable timestamp", "time_violation", line(7, timestamp="the day before")),
        ("timestamp in the year 2999", "time_violation", line(8, timestamp="2999-01-01T00:00:00Z")),
        ("duration is a word", "schema_violation", line(9, duration="quick")),
        ("email is an object", "schema_violation", line(10, email={"address": "demo-0@gmail.com"})),
        ("invalid UTF-8", "payload_malformed", line(11).replace(b"gmail", b"gm\xff\xfeail")),
        ("unknown action", "schema_violation", line(12, action="fly")),
    ]
