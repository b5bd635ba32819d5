"""Each portable macro gives the same value on both engines, and the one worked out by hand."""

# ruff: noqa: RUF001

from __future__ import annotations

import hashlib
import hmac
import random
import statistics
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import duckdb
import pytest
from bigquery_home import CLOUD_PROJECT
from engines import Engines
from google.api_core.exceptions import BadRequest
from standin import StandIn

LAST = datetime(2026, 5, 4, 11, tzinfo=UTC)


def zoned(text: str) -> str:
    """A time with its zone, as each engine writes one: an argument of a macro."""
    return (
        f"\"cast('{text}' as \" ~ ('timestamptz' if target.type == 'duckdb' else 'timestamp') ~ ')'"
    )


def in_silver(text: str) -> str:
    """The same as silver has it: an argument of a macro."""
    return f"utc_timestamp({zoned(text)})"


def local_day(text: str, zone: str) -> str:
    """The day of a time in a zone."""
    return f"local_day({in_silver(text)}, \"'{zone}'\")"


def float64(number: float) -> str:
    """A float as SQL has it, where the engine would else read a decimal."""
    return f"cast({number!r} as float64)"


def first_text_of(document: str, path: str) -> str:
    """What is found at one path of a JSON document."""
    quoted = document.replace('"', '\\"')
    return f"list_item(json_texts(\"'{quoted}'\", ['{path}']), 1)"


def rows_of(row: str, document: str, call: str) -> str:
    """What a join with a document gives, each row as a text, in order."""
    query = f"(select string_agg({row}, ',' order by {row}) from {document} as d cross join "
    return '"' + query.replace('"', '\\"') + f"\" ~ {call} ~ ')'"


# Rows of JSON documents, put together: of objects, of lists, and of what is neither.
OBJECT = """(select '{"a": 1.5, "b.c": "x", "d": {"e": 1}, "f": null, "g": true}' as j)"""
LIST = """(select '{"p": [{"a": 1}, 7, "x"]}' as j)"""
FIELD, ELEMENT = "f.name || '=' || coalesce(f.text, '-')", "cast(f.place as string) || f.element"
ENTRIES = [
    (FIELD, OBJECT, "json_entries('d.j', 'f')", "a=1.5,b.c=x,d=-,f=-,g=true"),
    (FIELD, "(select '[1]' as j)", "json_entries('d.j', 'f')", None),
    (FIELD, "(select cast(null as string) as j)", "json_entries('d.j', 'f')", None),
    (ELEMENT, LIST, "json_elements('d.j', 'f', path='$.p')", '0{"a":1},17,2"x"'),
    (ELEMENT, LIST, "json_elements('d.j', 'f')", None),
    (ELEMENT, "(select cast(null as string) as j)", "json_elements('d.j', 'f')", None),
]


def fields_of(document: str) -> str:
    """The fields of a JSON document, by name, each with its kind and text."""
    quoted = document.replace('"', '\\"')
    relation = f"\"(select 1 as id, '{quoted}' as document) as given\""
    shown = "field_name || '=' || field_kind || coalesce(':' || field_text, '')"
    return (
        f"\"(select string_agg({shown}, ' ' order by field_name) from (\" "
        f"~ json_fields({relation}, 'document', ['id']) ~ ') as fields)'"
    )


# What is called, and what it gives.
CASES: list[tuple[str, Any]] = [
    ("iso_week(\"date '2026-05-03'\")", date(2026, 4, 27)),  # a Sunday
    ("iso_week(\"date '2026-05-04'\")", date(2026, 5, 4)),
    ("iso_week(\"date '2026-01-01'\")", date(2025, 12, 29)),
    ("date_distance(\"date '2026-01-31'\", \"date '2026-02-01'\", 'month')", 1),
    ("date_distance(\"date '2026-02-01'\", \"date '2026-02-28'\", 'month')", 0),
    ("date_distance(\"date '2025-12-29'\", \"date '2026-01-05'\", 'day')", 7),
    ("date_distance(\"date '2026-01-05'\", \"date '2025-12-29'\", 'day')", -7),
    (f"seconds_between({in_silver('2026-05-04 10:59:59.75+00')}, {in_silver(str(LAST))})", 0.25),
    (f"seconds_between({in_silver(str(LAST))}, {in_silver('2026-05-04 12:59:59+02:00')})", -1.0),
    (f"utc_day({in_silver('2026-05-03 23:30:00-11:30')})", date(2026, 5, 4)),
    # 23 and 25 hours, half an hour of DST, a zone beyond the date line.
    (local_day("2026-03-29 21:59:59+00", "Europe/Berlin"), date(2026, 3, 29)),
    (local_day("2026-03-29 22:00:00+00", "Europe/Berlin"), date(2026, 3, 30)),
    (local_day("2026-10-25 22:59:59+00", "Europe/Berlin"), date(2026, 10, 25)),
    (local_day("2026-10-25 23:00:00+00", "Europe/Berlin"), date(2026, 10, 26)),
    (local_day("2026-04-05 13:15:00+00", "Australia/Lord_Howe"), date(2026, 4, 5)),
    (local_day("2026-04-05 13:30:00+00", "Australia/Lord_Howe"), date(2026, 4, 6)),
    (local_day("2026-05-03 10:59:59+00", "Pacific/Apia"), date(2026, 5, 3)),
    (local_day("2026-05-03 11:00:00+00", "Pacific/Apia"), date(2026, 5, 4)),
    (local_day("2026-05-04 00:30:00+00", "UTC"), date(2026, 5, 4)),
    (f"utc_hour({in_silver('2026-05-03 23:30:00-11:30')})", LAST),
    (f"hour_after({in_silver('2026-05-04 10:00:00+00')})", LAST),
    (f"utc_timestamp({zoned('2026-05-04 13:00:00+02:00')})", LAST),
    ("utc_moment(\"'2026-05-04T13:00:00+02:00'\")", LAST),
    ("utc_moment(\"'2026-05-04T11:00:00Z'\")", LAST),
    ("utc_moment(\"'2026-05-04T11:00:00'\")", LAST),
    ("utc_moment(\"'soon'\")", None),
    (
        f"milliseconds_between({in_silver('2026-05-04 10:59:59.0005+00')}, {in_silver(str(LAST))})",
        999,
    ),
    (f"milliseconds_between({in_silver(str(LAST))}, {in_silver('2026-05-04 10:59:59+00')})", None),
    ("exact_decimal(\"'0.123456789'\")", Decimal("0.123456789")),
    ("exact_decimal(\"'1,5'\")", None),
    ("converted('250', exact_decimal(\"'0.01'\"))", 3),
    ("converted('249', exact_decimal(\"'0.01'\"))", 2),
    ("converted('-250', exact_decimal(\"'0.01'\"))", -3),
    ("converted('1500', exact_decimal(\"'0.009'\"))", 14),  # as floats 13.499999999999998
    ("converted('1000000000000001', exact_decimal(\"'1234.5'\"))", 1_234_500_000_000_001_235),
    ("converted('9223372036854775807', exact_decimal(\"'1.000000001'\"))", None),
    ("converted('cast(null as int64)', exact_decimal(\"'1'\"))", None),
    ("summable('cast(null as int64)')", None),
    ("summable('9223372036854775807')", 10**15 + 1),
    ("summable('7')", 7),
    *[
        (f"utc_minutes({in_silver('2026-05-04 11:59:59.999999+00')}, {n})", LAST.replace(minute=at))
        for n, at in ((1, 59), (5, 55))
    ],
    (f"utc_minutes({in_silver('2026-05-03 23:30:00-11:30')}, 5)", LAST),
    ("whole_ms('2.5')", 3),
    ("whole_ms('-2.5')", -3),
    ("whole_ms('0.5')", 1),
    ("whole_ms('cast(12.499999999999998 as float64)')", 13),
    ("whole_ms('cast(12.4999 as float64)')", 12),
    ("rounded('cast(0.125 as float64)', 2)", 0.13),
    ("rounded('cast(-0.12499999999999997 as float64)', 2)", -0.13),
    ("ratio('1', '4')", 0.25),
    ("ratio('1', '0')", None),
    ("ratio('cast(null as int64)', '4')", None),
    # Distributions to the eighth place, from printed tables.
    (f"rounded(normal_tail('{float64(1.96)}'), 8)", 0.0249979),
    (f"rounded(normal_cdf('{float64(-7.5)}'), 8)", 0.0),
    (f"rounded(normal_cdf('{float64(1.96)}'), 8)", 0.9750021),
    (f"rounded(normal_quantile('{float64(0.975)}'), 8)", 1.95996398),
    (f"rounded(normal_quantile('{float64(1e-10)}'), 8)", -6.36134090),
    (f"rounded(students_t_cdf('{float64(2)}', '{float64(5)}'), 8)", 0.94903026),
    (f"rounded(students_t_cdf('{float64(-1)}', '{float64(1)}'), 8)", 0.25),
    (f"rounded(students_t_quantile('{float64(0.975)}', '{float64(9)}'), 8)", 2.26215716),
    (f"rounded(students_t_quantile('{float64(0.025)}', '{float64(30)}'), 8)", -2.04227246),
    (f"students_t_quantile('{float64(0.975)}', '{float64(4)}')", None),
    (f"rounded(satterthwaite('{float64(2)}', '11', '{float64(1)}', '5'), 8)", 13.84615385),
    (f"rounded(chi_square_tail('{float64(3.84)}', '1'), 8)", 0.05004352),
    (f"rounded(chi_square_tail('{float64(5.99)}', '2'), 8)", 0.05003663),
    ("rounded(two_proportions_z('40', '50', '20', '50'), 8)", 4.08248290),
    ("two_proportions_z('0', '50', '0', '50')", None),
    ("'(select sum(n) from ' ~ whole_numbers(-2, 5, 'n') ~ ')'", 12),
    ("plain_version(\"' Net-1.4'\")", "net-1.4"),
    ("plain_version(\"'no name!'\")", None),
    ("plain_version(\"'v123456789'\")", None),
    ("plain_name(\"' Amount.z-1 '\")", "amount.z-1"),
    ("plain_name(\"'seen on monday'\")", None),
    ("plain_name(\"'v123456789'\")", None),
    ("plain_number(\"'-1.5e-1'\")", -0.15),
    ("plain_number(\"'nan'\")", None),
    ("plain_number(\"'1e400'\")", None),
    ("plain_number(\"' 7'\")", None),
    *[(rows_of(row, document, call), found) for row, document, call, found in ENTRIES],
    ("try_cast('7', 'int64')", 7),
    ("try_cast('1e30', 'int64')", None),
    ("is_nan(\"cast('nan' as float64)\")", True),
    ("is_nan('1.5')", False),
    ("lower_case(\"'İΣ Straße'\")", "iσ straße"),
    ("capitals(\"'de '\")", "DE"),
    ("capitals(\"'ß'\")", None),
    ("spelling(\"'-Credit  Card-'\")", "credit_card"),
    ("spelling(\"'--'\")", None),
    ("squeezed(\"' A\tb '\")", "ab"),
    ("squeezed(\"' \t '\")", None),
    ("host_name(\"' A.Example'\")", "a.example"),
    ("host_name(\"'no host!'\")", "unknown"),
    ("host_name('cast(null as string)')", "unknown"),
    ("is_word(\"'acme_pay'\")", True),
    ("is_word(\"'card4111111111111111'\")", False),
    ("regexp_like(\"'abc'\", 'x')", False),
    ("regexp_like('cast(null as string)', 'x')", None),
    ("regexp_replace_all(\"'a.b.c'\", '[.]', '-')", "a-b-c"),
    ("regexp_replace_all(\"'abc'\", 'x', '-')", "abc"),
    (first_text_of('{"a": "x"}', "$.a"), "x"),
    (first_text_of('{"a": 1.0}', "$.a"), "1.0"),
    (first_text_of('{"a": true}', "$.a"), "true"),
    (first_text_of('{"a": null}', "$.a"), None),
    (first_text_of('{"b": 1}', "$.a"), None),
    (first_text_of('{"a": [{"b": "x"}]}', "$.a[0].b"), "x"),
    ("list_item(json_texts(\"'{}'\", ['$.a']), 2)", None),
    (
        fields_of('{"b": 1.50, "a": "x", "t": true, "n": null, "o": {"p": 1}, "l": [1], "e": ""}'),
        "a=string:x b=number:1.5 e=string: l=array n=null o=object t=boolean:true",
    ),
    (fields_of('[{"a": 1}]'), None),
    (fields_of("{}"), None),
    (fields_of("no json"), None),
    ("valid_json(\"'[1]'\")", "[1]"),
    ("valid_json(\"'{'\")", None),
    ("valid_json(\"''\")", None),
    ("unit_separator()", "\x1f"),
    ("generalize_location('city', \"' DE'\", \"'Bavaria'\", \"'New\tUlm'\")", "de-bavaria-new ulm"),
    ("generalize_location('city', \"'DE'\", 'cast(null as string)', \"'Ulm'\")", "de"),
    ("edit_distance(\"'gmial.com'\", \"'gmail.com'\")", 1),
    ("edit_distance(\"'gmul.com'\", \"'gmail.com'\")", 2),
    ("edit_distance(\"'mgial.com'\", \"'gmail.com'\")", 2),  # two swaps
    ("edit_distance(\"'axb'\", \"'ba'\")", 2),  # a letter lost, then a swap
    ("edit_distance(\"''\", \"'ab'\")", 2),
    ("is_one_of(\"date '2026-05-03'\", ['2026-05-03', '2026-05-04'])", True),
    ("is_one_of(\"date '2026-05-03'\", [])", False),
]


KEY, MESSAGE = b"a key of some length", "Grüße\x1fan alle"
UNHEX = "\"{}('%s')\".format('unhex' if target.type == 'duckdb' else 'from_hex')"
PADS = [UNHEX % bytes(b ^ pad for b in KEY.ljust(64, b"\0")).hex() for pad in (0x36, 0x5C)]
HMAC = f"hmac_sha256_hex(\"'{MESSAGE}'\", {PADS[0]}, {PADS[1]})"
PERCENTILES = {f"percentile('x', 0.{nines}, ['true'])": int(nines) for nines in ("50", "95", "99")}
DISTANCE = "edit_distance('one', 'other')"
ERROR = "raise_error('No key.')"
BLOCKS = (
    "timed_blocks('plays', 'person_key', ['day', 'brand'], 'region', ['provider_id', 'game_id'], "
    "'settled_at', weight='stake_minor', cube=['device', 'geo'], k=3)"
)
CLASSES = (
    "k_generalize('plays', 'person_key', ['brand'], [['provider_id', 'device'], "
    "['region', 'device'], ['region', 'day']], ['place', 'device'], k=2)"
)
# Brand, provider, region and device of one person's play, and how it is told.
PEOPLE = [
    *[("x p1 r1 d1", (1, "p1", "d1", True))] * 3,
    *[(f"x {provider} r1 d2", (2, "r1", "d2", True)) for provider in ("p2", "p3")],
    *[(f"x {provider} r1 d1", (2, "r1 (other)", "d1", True)) for provider in ("p4", "p5")],
    *[(f"x p6 r2 {device}", (3, "r2", "2026-05-04", True)) for device in ("d3", "d4")],
    *[(f"x p7 {region} {region}", (4, "Other", "Other", True)) for region in ("r3", "r4")],
    ("y p1 r1 d1", (4, "Other", "Other", False)),
    # One of them cannot hide alone, so the others are Other as well.
    *[(f"z {provider} r1 d1", (4, "Other", "Other", True)) for provider in ("p1", "p1")],
    ("z p2 r2 d2", (4, "Other", "Other", True)),
]
ALIKE = [
    "test_dominance('plays', ['game_id', 'device'], 'person_key', 'stake_minor')",
    "test_l_diverse('plays', ['game_id', 'device'], 'geo', 'person_key')",
]


@pytest.fixture(scope="module")
def engines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engines]:
    with pytest.MonkeyPatch.context() as patch, StandIn(CLOUD_PROJECT) as standin:
        patch.setenv("BIGQUERY_EMULATOR_HOST", standin.endpoint)
        calls = [*(call for call, _ in CASES), HMAC, *PERCENTILES, DISTANCE, ERROR, BLOCKS]
        calls += [CLASSES, *ALIKE]
        yield Engines(standin, tmp_path_factory.mktemp("macros"), calls)


def in_utc(value: Any) -> Any:
    """DuckDB keeps naive UTC."""
    return value.replace(tzinfo=value.tzinfo or UTC) if isinstance(value, datetime) else value


def test_values_are_those_worked_out_by_hand(engines: Engines) -> None:
    for call, expected in CASES:
        ((one,),), ((other,),) = engines.rows(*engines.sql(call))
        assert (in_utc(one), in_utc(other)) == (expected, expected), call
        assert type(one) is type(other), call


def test_percentiles_are_interpolated_and_pass_over_nulls(engines: Engines) -> None:
    numbers = [1.5, 2.0, 3.25, 10.0, 99.5]
    values = " union all ".join(f"select {n} as x" for n in [*numbers, "cast(null as float64)"])
    hundredths = statistics.quantiles(numbers, n=100, method="inclusive")
    for call, percent in PERCENTILES.items():
        query = f"select distinct {{}} from ({values}) as numbers"
        for ((found,),) in engines.rows(*engines.sql(call, query)):
            assert found == pytest.approx(hundredths[percent - 1], rel=1e-12)


def test_hmac_is_that_of_the_standard_library(engines: Engines) -> None:
    expected = hmac.new(KEY, MESSAGE.encode(), hashlib.sha256).hexdigest()
    assert engines.rows(*engines.sql(HMAC)) == ([(expected,)], [(expected,)])


def test_distances_that_count_are_the_same(engines: Engines) -> None:
    """Of random texts, as far as 2: what is farther apart is no typo on either engine."""
    seed = random.SystemRandom().randrange(2**32)
    print(f"texts made with seed {seed}")
    rng = random.Random(seed)
    words = ["same", "same"]
    words += ["".join(rng.choices("abc", k=rng.randrange(1, 6))) for _ in range(400)]
    pairs = " union all ".join(
        f"select '{one}' as one, '{other}' as other"
        for one, other in zip(words[::2], words[1::2], strict=True)
    )
    query = f"select one, other, least({{}}, 3) as distance from ({pairs}) as pairs order by 1, 2"
    ours, theirs = engines.rows(*engines.sql(DISTANCE, query))
    assert ours == theirs
    assert {distance for *_, distance in ours} == {0, 1, 2, 3}


PLAY = (
    "select {0} as number, date '2026-05-04' as day, '{1}' as brand, {2} as person_key, "
    "timestamp '2026-05-04 {3:02}:{4:02}:00' as settled_at, cast({5} as int64) as stake_minor, "
    "'{6}' as region, '{7}' as provider_id, '{8}' as game_id, '{9}' as device, '{10}' as geo"
)


def random_play(rng: random.Random, number: int) -> str:
    """A row of a day, of one of few people, games and moments."""
    person = rng.choice(["cast(null as string)", *(f"'p{n}'" for n in range(20))])
    moment = rng.choice([10, 10, 11]), rng.choice([0, 7, 8])
    stake = rng.choice(["null", "1", "1", "2"])
    names = [rng.choice("aaaaaabbc") for _ in range(5)]
    brand = "y" if number < 2 else "x"  # too few to be told
    return PLAY.format(number, brand, person, *moment, stake, *names)


def random_plays() -> str:
    seed = random.SystemRandom().randrange(2**32)
    print(f"plays made with seed {seed}")
    rng = random.Random(seed)
    return " union all ".join(random_play(rng, number) for number in range(500))


def test_rows_are_told_alike(engines: Engines) -> None:
    """Random plays have the same labels on both engines, each of several."""
    plays = random_plays()
    told = "told as (select * from blocks) select * from told order by number"
    ours, theirs = engines.rows(*engines.sql(BLOCKS, f"with plays as ({plays}), {{}} {told}"))
    assert [tuple(map(in_utc, row)) for row in ours] == theirs
    assert min(len(set(column)) for column in list(zip(*ours, strict=True))[11:]) > 1


def test_people_are_generalized_as_by_hand(engines: Engines) -> None:
    plays = " union all ".join(
        f"select {n} as number, 'person {n}' as person_key, date '2026-05-04' as day, "
        "'{}' as brand, '{}' as provider_id, '{}' as region, '{}' as device".format(*words.split())
        for n, (words, _) in enumerate(PEOPLE)
    )
    told = (
        "told as (select number, gen_level, published_place, published_device, is_published "
        "from classes) select * from told order by number"
    )
    ours, theirs = engines.rows(*engines.sql(CLASSES, f"with plays as ({plays}), {{}} {told}"))
    assert ours == theirs == [(n, *labels) for n, (_, labels) in enumerate(PEOPLE)]


def test_cells_that_tell_too_much_are_the_same(engines: Engines) -> None:
    found = []
    for call in ALIKE:
        query = f"with plays as ({random_plays()}) select * from ({{}}) as cells"
        ours, theirs = engines.rows(*engines.sql(call, query))
        assert ours == theirs
        found += ours
    assert found


def test_an_error_says_what_it_was_told_to(engines: Engines) -> None:
    duck, big = engines.sql(ERROR)
    with pytest.raises(duckdb.Error, match=r"No key\."):
        engines.duck.execute(duck).fetchall()
    with pytest.raises(BadRequest, match=r"No key\."):
        engines.client.query_and_wait(big)
