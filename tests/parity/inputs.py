"""Events on which the engines would differ, were it not for the portable macros.

Each value below stands for a difference that is known: weeks that begin on Sunday, half
milliseconds, spellings whose capitals have no agreed small letter, white space that is not a blank,
replies that are no JSON or no text, times of other zones, cells without a denominator.
"""

# ruff: noqa: RUF001

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from claims import claim_event, requests
from decisions import attribution, decision, experiments, outcome, replays
from evening import evening

SUNDAY = datetime(2026, 5, 3, tzinfo=UTC)
# Offset from Sunday, and how often. What is sent later is mostly of the days that were rare.
DAYS = {-1: 1, 0: 10, 1: 10, 2: 1}
PEOPLE = 80
REFUSED = 9  # lines of each file
REQUIRED = {
    "attempts": "status",
    "deposit_attempts": "status",
    "platform_events": "event_type",
    "claim_events": "event_type",
    "fraud_decisions": "decision",
    "fraud_outcomes": "transaction_id",
    "fraud_attributions": "method",
}

# Most values are plain, so that cells have people enough to be published.
HOURS = [10] * 8 + [0, 23]
DOMAINS = ["a.example"] * 10 + [" A.Example", "b.example", "no host!", None]
GEOS = ["DE"] * 10 + ["TR"] * 6 + ["de ", "\tFR", "ß", "İT", "", None]
MAIL_DOMAINS = ["gmail.com"] * 4 + ["gmul.com"] * 5 + ["web.de", "GMAİL.com", "x..con", "ΣΑΣ.gr"]
FINGERPRINTS = ["shared-device"] * 2 + ["none", "  ", None]
CURRENCIES = ["EUR"] * 20 + ["eur ", "Euro", "ß", "\tUSD", None]
METHODS = ["card"] * 20 + ["Credit-Card", "4111111111111111", "", "İyzico", None]
PROVIDERS = ["acme"] * 10 + ["Acme Pay"]
# Each has some of the events' numbers, and so gaps between them.
PRODUCERS = ["api-1"] * 4 + ["Api_2.eu"] * 2 + ["api-1\n", "ädä", "a@b.c", "7", "", None]

REPLIES: list[str | None] = [
    *[json.dumps({"error": {"code": "EMAIL_TAKEN"}})] * 20,
    json.dumps({"message": "This email address is already registered."}),
    json.dumps({"errors": [{"message": "E-posta veya ŞİFRE hatalı."}]}, ensure_ascii=False),
    json.dumps({"errors": [{"message": "ΛΑΘΟΣ ΚΩΔΙΚΟΣ"}]}, ensure_ascii=False),
    json.dumps({"code": {"number": 7}, "message": ["no", "text"], "status": 429}),
    json.dumps({"code": 404.0}),
    json.dumps({"code": True, "detail": None}),
    json.dumps({"code": "", "errorCode": "  "}),
    '{"code": "EMAIL_TAKEN"',
    "Too many requests\nTry later",
    "[]",
    "null",
    None,
]

ABSENT = object()
STAKED = ["EUR", "EUR ", "JPY", "jpy", "KWD", "TRY", "XXX", "ß", ABSENT]
# Values of payloads: numbers as ids, either spelling, white space, nesting that nobody declared.
PAYLOADS: dict[str, dict[str, list[Any]]] = {
    "account.login": {"note": ["x", {"deep": [1, None]}, [], 1.50]},
    "submission.created": {
        "challengeId": ["c1", 17, " c 1 ", "[c]", "{c", "ß\t"],
        "challenge_id": [None, "c2", ABSENT],
        "category": ["Short Film", "İyi", "4111 1111", "", None, ABSENT],
        "file_size_bytes": [0, 2**63 - 1, None],
        "fileType": ["image/PNG", "pdf", ABSENT],
    },
    # Few bets and payments, so that several events are about each, often at the same moment.
    "bet.placed": {
        "betId": [f"b{n}" for n in range(40)],
        "stake_minor": [250, 999, 1_000_000_000_000_001],
        "currency": STAKED,
        "gameId": ["Golden Reef", "golden_reef", "İ"],
        "provider_id": ["studio_x", ABSENT],
        "geo": ["DE", "tr ", "ß"],
    },
    "bet.settled": {
        "bet_id": ["b1", "B1", " b1", 1, "", *(f"b{n}" for n in range(40))],
        "stake_minor": [0, 250],
        "winMinor": [0, 375, 10**15],
        "commissionMinor": [3, ABSENT],
        "currency": STAKED,
        "in_bonus": [True, False, None],
        "password": ["hunter2", ABSENT],
    },
    "bet.voided": {"bet_id": [f"b{n}" for n in range(9)]},
    "bonus.consumed": {"bonusId": ["x1", ABSENT], "amount_minor": [5, 50], "currency": STAKED},
    "payment.intent": {
        "payment_id": [f"p{n}" for n in range(20)],
        "amount_minor": [1, 2, 2**63 - 1, None],
        "currency": STAKED,
        "method": ["card", "Credit-Card", "4111 1111"],
    },
    "payment.captured": {"paymentId": [f"p{n}" for n in range(20)], "amountMinor": [1, ABSENT]},
    "payment.refunded": {
        "payment_id": [f"p{n}" for n in range(20)],
        "amount_minor": [1, 2**63 - 1, ABSENT],
    },
    "session.started": {"session_id": [f"s{n}" for n in range(30)], "device": ["mobile", "TV"]},
    "session.ended": {"sessionId": [f"s{n}" for n in range(30)]},
    "rg.limit.hit": {"limit_kind": ["Deposit", "4111 1111"]},
    "wallet.credit": {
        "amount_minor": [1, 2],
        "currency": ["EUR", "EUR", " eur", "ß", ABSENT],
        "reason": ["reward", "reward", "Deposit", 'Deposit "x"', "\\u00e4", "\u2028"],
        "rewardType": ["Approval", ABSENT],
        "state": ["pending", "available", ABSENT],
        "referenceId": ["r1", "r\x1f1", None],
    },
    "wallet.debit": {
        "amountMinor": [1, 2],
        "currency": ["EUR", "EUR ", "eur"],
        "reason": ["release", "correction", None],
        "state": ["pending", "available"],
        "reference_id": ["r1", " r1", ABSENT],
    },
    "account.registered": {"country": ["DE"]},
    "contribution.recorded": {"points": [-5, 5, 60], "category": ["art"]},
    "badge.awarded": {"badgeId": ["first", "First", "İlk", 7]},
    # A message is about as often told of as it is sent, by few ids, and at the same moments.
    "notification.sent": {
        "notificationId": [f"m{n}" for n in range(400)],
        "channel": ["email", "sms"],
    },
    "notification.delivered": {"notification_id": [f"m{n}" for n in range(400)]},
    "notification.failed": {"notification_id": [f"m{n}" for n in range(400)] + [" m1", 7]},
    "admin.action": {"action": ["Text edited", "text_edited", "ß"], "targetType": ["text", ABSENT]},
    # Few people do all of it in two challenges, and often at the same moment.
    "challenge.viewed": {"challengeId": ["c-one", "C One", 7], "track_id": ["t1", ABSENT]},
    "challenge.joined": {"challengeId": ["c-one", "C One", "c-two"], "track_id": ["t1"]},
    "challenge.completed": {"challenge_id": ["c-one", "c_one", "c-two"]},
    "challenge.won": {"challenge_id": ["c-one"], "rank": [1, 2, 2, 10**6, None]},
}
# Whoever comes to a band of points has registered before, and earned some.
EVENT_TYPES = [*PAYLOADS, *["account.registered", "contribution.recorded"] * 2]
# Of these there are more rows: their many types have people enough each.
TIMES = {"platform_events": 10, "claim_events": 3, "fraud_decisions": 3, "fraud_attributions": 3}
# Rates of a day and currency that land twice, and texts that are none.
RATES = ["0.5", "0.0205", " 12.12345678", "99999.5", "0", "-1", "1e3", "0.123456789", "½"]


def write_batches(folder: Path, seed: int, rows: int) -> dict[str, list[Path]]:
    """Write files by bronze table, in the order in which they land.

    The first has `rows` rows, or `TIMES` as many; the second a fourth as many, of old and of new
    days, and repeats of the first: exact copies, and others under the same id. In both some lines
    must be refused.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rng = random.Random(seed)
    files: dict[str, list[Path]] = {}
    for table, event in EVENTS.items():
        total = rows * TIMES.get(table, 1)
        first = [event(rng, f"{table}-{n}", later=False) for n in range(total)]
        second = [event(rng, f"{table}-{total + n}", later=True) for n in range(total // 4)]
        second += rng.sample(first, total // 20)
        second += [
            {**event(rng, row["event_id"], later=True), "event_id": row["event_id"]}
            for row in rng.sample(first, total // 20)
        ]
        if table == "platform_events":
            in_time, late = evening(SUNDAY)
            first, second = [*first, *in_time], [*second, *late]
        for batch in (first, second):
            batch += [row | {REQUIRED[table]: None} for row in rng.sample(batch, REFUSED - 1)]
        files[table] = [
            _written(folder / f"{table}-{n}.jsonl", batch)
            for n, batch in enumerate((first, second))
        ]
    files["data_subject_requests"] = [
        _written(folder / f"requests-{n}.jsonl", requests(rng, SUNDAY, REFUSED)) for n in range(2)
    ]
    files["experiments"] = [
        _written(folder / f"experiments-{n}.jsonl", experiments(rng) + [{}] * (REFUSED - 1))
        for n in range(2)
    ]
    files["replay_scenarios"] = [
        _written(folder / f"replay_scenarios-{n}.jsonl", replays(rng) + [{}] * (REFUSED - 1))
        for n in range(2)
    ]
    files["fx_rates"] = [_written(folder / f"fx_rates-{n}.jsonl", _rates(rng)) for n in range(2)]
    return files


def _rates(rng: random.Random) -> list[dict[str, Any]]:
    """Some rates of each day; of as many lines as of other tables, a field is missing."""
    days = [(SUNDAY + timedelta(days=day)).date().isoformat() for day in DAYS]
    rates = [
        {"date": day, "currency": rng.choice(["JPY", "jpy ", "KWD"]), "rate": rng.choice(RATES)}
        for day in days * 3
    ]
    return rates + [{"rate_date": days[0], "currency": "JPY"}] * (REFUSED - 1)


def _claim_event(rng: random.Random, event_id: str, later: bool) -> dict[str, Any]:
    zone = rng.choice(["Z", "+02:00", "-11:30"])
    at = {"timestamp": _in_zone(_moment(rng, later), zone)}
    return _number(rng, event_id) | at | claim_event(rng)


def _fraud_decision(rng: random.Random, event_id: str, later: bool) -> dict[str, Any]:
    numbered = _number(rng, event_id)
    at = {"timestamp": _in_zone(_moment(rng, later), rng.choice(["Z", "+02:00", "-11:30"]))}
    return numbered | at | decision(rng, numbered["sequence"])


def _fraud_outcome(rng: random.Random, event_id: str, later: bool) -> dict[str, Any]:
    at = {"recorded_at": _in_zone(_moment(rng, later), rng.choice(["Z", "+02:00"]))}
    return _number(rng, event_id) | at | outcome(rng)


def _fraud_attribution(rng: random.Random, event_id: str, later: bool) -> dict[str, Any]:
    """Of a decision of the same number; its own id is what it explains."""
    numbered = _number(rng, event_id)
    explained = {"event_id": f"fraud_decisions-{numbered['sequence']}"}
    at = {"computed_at": _in_zone(_moment(rng, later), rng.choice(["Z", "+02:00"]))}
    return numbered | explained | at | attribution(rng)


def _attempt(rng: random.Random, event_id: str, later: bool) -> dict[str, Any]:
    person = rng.randrange(PEOPLE)
    status = rng.choices(["success", "error", "test", "blocked"], [10, 10, 1, 1])[0]
    return {
        **_request(rng, event_id, person, later),
        "action": rng.choices(["signup", "login", "validate"], [12, 3, 1])[0],
        "status": status,
        "email": rng.choice([f" P{person}@{rng.choice(MAIL_DOMAINS)}"] * 5 + [None, "no mail"]),
        "phone": rng.choice([f"+49 (0) {person:07}", None]),
        "country": rng.choice(GEOS),
        "resp": None if status == "success" else rng.choice(REPLIES),
    }


def _deposit(rng: random.Random, event_id: str, later: bool) -> dict[str, Any]:
    person = rng.randrange(PEOPLE)
    status = rng.choices(["success", "error"], [2, 1])[0]
    return {
        **_request(rng, event_id, person, later),
        "status": status,
        "user_id": rng.choice([f"U{person} ", None]),
        "email": f"p{person}@gmail.com",
        "amount_minor": rng.choice([None, 0, 250, 1000, 99_999]),
        "currency": rng.choice(CURRENCIES),
        "method": rng.choice(METHODS),
        "provider": rng.choice(PROVIDERS),
        "resp": None if status == "success" else rng.choice(REPLIES),
    }


def _platform_event(rng: random.Random, event_id: str, later: bool) -> dict[str, Any]:
    person = rng.randrange(PEOPLE)
    event_type = rng.choice(EVENT_TYPES)
    payload = {name: rng.choice(values) for name, values in PAYLOADS[event_type].items()}
    sent = {name: value for name, value in payload.items() if value is not ABSENT}
    zone = rng.choice(["Z", "+02:00", "-11:30"])
    return {
        **_number(rng, event_id),
        "event_type": event_type,
        "occurred_at": _in_zone(_moment(rng, later), zone),
        "sent_ingested_at": rng.choice([None, "2026-05-09T10:00:00.25Z"]),
        "tenant_id": rng.choice(["brand-7", " brand-7", "Brand 8", "", None]),
        "region": rng.choice(["EU", " eu-west1", "elsewhere", "\tEU", None]),
        "user_id": rng.choice([f"U{person}", f" U{person}", "ß", "", None]),
        "schema_version": rng.choice(["1.0.0", "1.7", " 1 ", None]),
        "payload": rng.choice([sent, sent, json.dumps(sent, indent=1)]),
    }


def _request(rng: random.Random, event_id: str, person: int, later: bool) -> dict[str, Any]:
    zone = rng.choice(["Z", "+02:00", "-11:30"])
    return {
        **_number(rng, event_id),
        "timestamp": _in_zone(_moment(rng, later), zone),
        "duration": rng.choice([None, rng.randrange(1, 400) * 1_000_000 + 500_000]),
        "domain": rng.choice(DOMAINS),
        "geo": rng.choice(GEOS),
        "fp": rng.choice([f"device-{person}"] * 10 + FINGERPRINTS),
        "ip": f"192.0.2.{person}",
    }


def _moment(rng: random.Random, later: bool) -> datetime:
    day = rng.choices(list(DAYS), [*DAYS.values()][::-1] if later else [*DAYS.values()])[0]
    return SUNDAY + timedelta(days=day, hours=rng.choice(HOURS), minutes=rng.randrange(60))


def _number(rng: random.Random, event_id: str) -> dict[str, Any]:
    number = int(event_id.rpartition("-")[2])
    return {"event_id": event_id, "producer": rng.choice(PRODUCERS), "sequence": number}


def _in_zone(at: datetime, zone: str) -> str:
    """The same moment as a clock of the zone shows it."""
    offset = timedelta()
    if zone != "Z":
        hours, minutes = zone[1:].split(":")
        offset = timedelta(hours=int(hours), minutes=int(minutes)) * (-1 if zone[0] == "-" else 1)
    return f"{at + offset:%Y-%m-%dT%H:%M:%S}{zone}"


def _written(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(_lines(rows)) + '{"producer": "api-1"', encoding="utf-8")
    return path


def _lines(rows: list[dict[str, Any]]) -> Iterator[str]:
    for row in rows:
        sent = {name: value for name, value in row.items() if value is not None}
        yield json.dumps(sent, ensure_ascii=False) + "\n"


EVENTS = {
    "attempts": _attempt,
    "deposit_attempts": _deposit,
    "platform_events": _platform_event,
    "claim_events": _claim_event,
    "fraud_decisions": _fraud_decision,
    "fraud_outcomes": _fraud_outcome,
    "fraud_attributions": _fraud_attribution,
}
