"""Bytes that BigQuery charges for, against sums by hand; the sizes are those of its page."""

from __future__ import annotations

from datetime import datetime

import duckdb
import pytest
from asking import Question, questions
from report import price
from scanning import bytes_of, columns_of

from loaders.gold.marts import columns_of as columns_of_mart
from loaders.gold.marts import models_of

UNTIL = datetime(2026, 6, 1, 12)


@pytest.mark.parametrize(
    ("value", "size"),
    [
        ("5::bigint", 8), ("1.5::double", 8), ("true", 1), ("date '2026-01-01'", 8),
        ("timestamp '2026-01-01'", 8), ("now()", 8), ("1::decimal(38, 9)", 16),
        ("'abc'", 5), ("''", 2), ("'çay €'", 10), ("'\\x00\\x01'::blob", 4),
        ("'{\"a\":1}'::json", 7), ("[1::bigint, 2::bigint]", 16), ("['a', 'bc']", 7),
        ("{'a': 1::bigint, 'b': 'x'}", 11), ("null::bigint", 0), ("null::varchar", 0),
    ],
)  # fmt: skip
def test_a_value_has_the_size_of_its_type(value: str, size: int):
    """Texts are two bytes and their UTF-8, and what is null has none."""
    connection = duckdb.connect()
    connection.execute(f"create table t as select {value} as it")
    assert bytes_of(connection, "t") == {"it": size}


def test_a_table_is_the_sum_of_its_rows():
    """Three numbers of which one is null, and three texts."""
    connection = duckdb.connect()
    connection.execute(
        "create table t as from (values (1::bigint, 'a'), (null, 'bb'), (3, 'ccc')) as _ (n, s)"
    )
    assert bytes_of(connection, "t") == {"n": 16, "s": 3 * 2 + 6}
    assert bytes_of(connection, "t", "n = 3") == {"n": 8, "s": 5}
    assert bytes_of(connection, "t", "false") == {"n": 0, "s": 0}


def test_a_type_that_nobody_measured_is_not_guessed():
    """It has no size."""
    connection = duckdb.connect()
    connection.execute("create table t as select interval 1 day as it")
    with pytest.raises(ValueError, match="no size is known"):
        bytes_of(connection, "t")


def test_a_query_reads_the_columns_that_it_names():
    """Wherever they stand."""
    sql = "select a, sum(b) from t where c = 'd' group by a having max(e) > 1 order by a"
    assert columns_of(sql) == {"a", "b", "c", "e"}


@pytest.mark.parametrize("question", questions(UNTIL), ids=lambda q: q.what)
def test_questions_are_of_columns_that_there_are(question: Question):
    """So is the column of the partitions, by which their days are left."""
    known = columns_of_mart(question.mart)
    assert columns_of(question.sql) - {"value"} <= set(known)
    assert models_of("gold")[question.mart]["config"]["partition_by"]["field"] in known
    assert f"date '{question.since}'" in question.sql


def test_a_price_is_by_the_tebibyte_and_of_ten_mebibytes_at_least():
    """At 6.25 dollars: half a tebibyte is 3.125."""
    assert price(2**39, 6.25) == pytest.approx(3.125)
    assert price(1, 6.25) == price(10 * 2**20, 6.25) == pytest.approx(6.25 * 10 / 2**20)
