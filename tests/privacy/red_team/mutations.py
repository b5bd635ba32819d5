"""Guards of the marts, each taken out of one model, and the attack that must see it.

A model is changed as SQL, and made anew with its marts over the silver of the demo. Guards that the
demo does not reach are taken out in the audits of random tables, such as test_row_space.py.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from attempt_space import FACT, MARTS, audited

from red_team.attacks import Finding, Scene, said
from red_team.differences import all_equations_at_once
from red_team.filters import small_filters
from red_team.gold import Gold, nodes_of, real_gold
from red_team.insides import a_part_of_claims_or_payments_is_small as parts_of_claims
from red_team.insides import a_part_or_what_it_leaves_is_small as parts
from red_team.insides import whoever_is_second_estimates_the_first as second
from red_team.singling import an_extreme_is_one_persons as extremes


@dataclass(frozen=True)
class Mutation:
    """A guard, the model that loses it, how, what is made of it, and the attack that sees it.

    What the demo has nothing of, for which the guard is there, is `planted` before, with SQL.
    """

    guard: str
    model: str
    right: str
    wrong: str
    marts: tuple[str, ...]
    attack: Callable[[Gold], Finding]
    planted: str = ""


def equations(gold: Gold) -> Finding:
    return all_equations_at_once(audited(gold.connection))


NO_K = (r">= 10\b", ">= 1")
PLAY = ("gaming_cube_hourly", "game_performance_daily", "provider_service_daily")
CLAIMS = ("claim_type_trends_monthly", "claim_type_features_daily", "model_bias_monthly")
ONE_HAS_MOST = """
    create or replace view silver.int_engagement__contributions as
    select * exclude (someone) replace (points * if(user_key = someone, 1000000, 1) as points)
    from demo.silver.int_engagement__contributions,
        (select min(user_key) as someone from demo.silver.int_engagement__contributions)
"""
MUTATIONS = [
    Mutation("k_merge: k people", FACT, *NO_K, tuple(MARTS), small_filters),
    Mutation(
        "k_merge: what is too small is withheld",
        FACT,
        r"hour_verdicts\.verdict != 'withheld' as is_published",
        "true as is_published",
        tuple(MARTS),
        equations,
    ),
    Mutation(
        "published_blocks", "int_engagement__published_contributions", *NO_K,
        ("contribution_stats",), small_filters,
    ),
    Mutation("told_periods", "int_claims__published_claims", *NO_K, CLAIMS, small_filters),
    Mutation("timed_blocks: k people", "int_gaming__published_play", *NO_K, PLAY, small_filters),
    Mutation(
        "told_values: nobody has more than half",
        "int_gaming__published_play",
        r"and 2 \* max\(\w+\) <= sum\(\w+\)",
        "",
        PLAY,
        second,
    ),
    Mutation(
        "open_amounts",
        "int_engagement__published_contributions",
        r"max\(weight_of_person\) over of_block \* 2 <= .* as has_amounts",
        "true as has_amounts",
        ("contribution_stats",),
        second,
        ONE_HAS_MOST,
    ),
    Mutation(
        "dominance of deposits",
        "deposit_attempts_hourly",
        r"and max\(amount\) \* 2 <= sum\(amount\)",
        "",
        (),
        second,
    ),
    Mutation(
        "minimum of percentiles", "response_times_daily", "timed_people >= 50",
        "timed_people >= 1", (), extremes,
    ),
    Mutation(
        "told_parts",
        "int_claims__published_claims",
        r"people_(\d) >= 10",
        r"people_\1 >= 1",
        ("claim_type_trends_monthly", "model_bias_monthly"),
        parts_of_claims,
    ),
    Mutation(
        "shown_part",
        "payments_hourly",
        r"(is_refunded(?:, false\))? then user_key end\)) >= 10",
        r"\1 >= 1",
        (),
        parts_of_claims,
    ),
    Mutation("part_or_none", "int_gaming__retention", *NO_K, ("retention_cohorts",), parts),
]  # fmt: skip


def built(scene: Scene, mutation: Mutation, is_mutated: bool) -> Gold:
    """Gold in which the model and its marts were made anew, with the guard or without."""
    gold, nodes = real_gold(scene), nodes_of(scene.demo)
    gold.connection.execute(mutation.planted)
    for name in (mutation.model, *mutation.marts):
        node = nodes[name]
        sql = node["compiled_code"]
        if is_mutated and name == mutation.model:
            sql, replaced = re.subn(mutation.right, mutation.wrong, sql)
            assert replaced, "there is no such guard"
        gold.connection.execute(f"drop view {node['schema']}.{name}")
        gold.connection.execute(f"create table {node['relation_name']} as {sql}")
    return gold


def table(results: Iterable[tuple[Mutation, Finding, Finding]]) -> str:
    """The results as text: of each guard what an attack finds with it, and without."""
    lines = []
    for mutation, whole, mutated in results:
        lines += [
            f"{mutation.guard} [{mutation.model}]",
            f"      with it     {said(whole)}",
            f"      without it  {said(mutated)}",
        ]
    return "\n".join(lines)
