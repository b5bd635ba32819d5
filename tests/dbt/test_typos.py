"""Mistyped mail domains are told from real ones: the compiled model on a list of its own.

`typo_cases.csv` was written by hand and not from the seeds: what is typed, and what is meant,
nothing where the domain is a valid one. Run with -s to see every miss.
"""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import duckdb
import pytest
from compiled import compile_models, sandbox
from conftest import PROJECT, Demo

MODEL = "int_access__mail_domain_suggestions"
SEEDS = ("mail_domains", "disposable_domains", "domain_endings", "known_domain_typos")
LEAST_ACCURACY = 0.9

with Path(__file__).with_name("typo_cases.csv").open(encoding="utf-8") as file:
    CASES = {row["typed"]: row["meant"] for row in csv.DictReader(file)}
MISTYPED = {typed: meant for typed, meant in CASES.items() if meant}
VALID = set(CASES) - set(MISTYPED)


@pytest.fixture(scope="module")
def model() -> dict[str, Any]:
    return compile_models(MODEL)[MODEL]


def suggest(model: dict[str, Any], domains: list[str], known: bool = True) -> dict[str, str]:
    """What the model suggests for domains that one person each typed."""
    with sandbox() as connection:
        connection.execute("attach ':memory:' as warehouse")
        connection.execute("create schema warehouse.silver")
        for seed in SEEDS:
            connection.execute(
                f"create table warehouse.silver.{seed} as "
                f"select * from read_csv('{PROJECT / 'seeds' / seed}.csv', header = true)"
            )
        if not known:
            connection.execute("delete from warehouse.silver.known_domain_typos")
        connection.execute(
            "create table warehouse.silver.stg_access__attempts as select "
            "unnest($domains) as email_domain, 'signup' as action, 'error' as status, "
            "'p' as subject_key",
            {"domains": domains},
        )
        rows = connection.execute(model["compiled_code"]).fetchall()
    return {typed: suggested for typed, suggested, _ in rows}


def misses(found: dict[str, str]) -> dict[str, str]:
    """Mistyped domains without the right suggestion, and what was suggested."""
    return {
        typed: found.get(typed, "nothing")
        for typed, meant in MISTYPED.items()
        if found.get(typed) != meant
    }


@pytest.mark.parametrize("known", [True, False], ids=["all seeds", "without known typos"])
def test_mistyped_domains_are_recognised(model: dict[str, Any], known: bool) -> None:
    """At least nine in ten, also without the list of known ones; no valid domain is touched."""
    found = suggest(model, list(CASES), known)
    missed = misses(found)
    accuracy = 1 - len(missed) / len(MISTYPED)
    print(f"{len(MISTYPED)} mistyped, {len(VALID)} valid: accuracy {accuracy:.1%}")
    for typed, suggested in missed.items():
        print(f"  {typed}: meant {MISTYPED[typed]}, suggested {suggested}")
    assert len(MISTYPED) >= 150
    assert len(VALID) >= 100
    assert {typed: found[typed] for typed in VALID & set(found)} == {}
    assert found["gmul.com"] == "gmail.com"
    assert accuracy >= LEAST_ACCURACY


def test_no_seed_calls_a_real_domain_a_typo(model: dict[str, Any]) -> None:
    """Every provider of the seed is left alone, and every known typo is corrected."""
    with duckdb.connect() as connection:
        real, known = (
            connection.execute(f"select * from '{PROJECT / 'seeds' / name}.csv'").fetchall()
            for name in ("mail_domains", "known_domain_typos")
        )
    found = suggest(model, [domain for domain, *_ in real] + [typed for typed, _ in known])
    assert found == dict(known)


def test_planted_typos_are_in_gold(demo: Demo) -> None:
    """Every planted one that many people typed, with what was meant, and no real domain."""
    with duckdb.connect(str(demo.home.warehouse), read_only=True) as warehouse:
        rows = warehouse.execute(
            "select typed_domain, suggested_domain, sum(attempts) "
            "from gold.email_domain_typos_weekly group by all"
        ).fetchall()
    planted = demo.key["mail_domains"]["typos"]
    assert {typed: meant for typed, meant, _ in rows}.items() <= {
        typed: truth["meant"] for typed, truth in planted.items()
    }.items()
    shown = {typed: attempts for typed, _, attempts in rows}
    assert set(shown) >= {typed for typed, truth in planted.items() if truth["people"] >= 20}
    assert len(shown) >= 2
    for typed, attempts in shown.items():
        assert 0.5 * planted[typed]["attempts"] < attempts <= planted[typed]["attempts"]
