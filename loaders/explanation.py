"""The explanation of one decision, read from silver: `assay explain`.

It names the transaction and the person by pseudonyms alone. Who asked, and for which decision, by a
pseudonym of its own, is in the audit log before anything is given out.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import duckdb

from loaders import audit, vault
from loaders.audit.rights import refuse_denied
from loaders.erasure.subject import chain
from loaders.errors import AssayError
from loaders.gold.publish import open_warehouse
from loaders.home import Home

TOP = 5
_DOMAIN = "explain.decision"
_DECISION = """
    select
        known.transaction_key, known.subject_key, known.decision, kept.model_score,
        kept.rule_score, known.final_score, known.model_version, known.rule_version,
        known.model_provider, known.channel, known.decided_at, known.label_kind, known.is_fraud,
        known.overridden_decision
    from silver.int_fraud__decisions as known
    inner join silver.stg_fraud__decisions as kept using (event_id)
    where known.event_id = $decision
"""
_CONTRIBUTIONS = """
    select feature, number_value as value, contribution, abs(contribution) as importance, method
    from silver.int_fraud__contributions
    where event_id = $decision
    order by importance desc, feature
"""
_RULES = """
    select rule_id, has_fired, score, conditions, conditions_matched
    from silver.int_fraud__rule_traces
    where event_id = $decision
    order by has_fired desc, rule_id
"""

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Explained:
    """A decision, what moved its score, and what each rule said. Features that did most come first.

    `method` is how contributions were computed, None where nobody said any.
    """

    decision: Row
    method: str | None
    contributions: list[Row]
    rules: list[Row]

    @property
    def top_drivers(self) -> list[Row]:
        return self.contributions[:TOP]


def explain(home: Home, decision_id: str) -> Explained:
    """Explain a decision, by the id that its engine gave it. Raises AssayError, without the id."""
    refuse_denied(home, "explain")
    started = time.monotonic()
    with open_warehouse(home) as warehouse:
        try:
            decisions = _rows(warehouse, _DECISION, decision_id)
            contributions = _rows(warehouse, _CONTRIBUTIONS, decision_id)
            rules = _rows(warehouse, _RULES, decision_id)
        except duckdb.CatalogException:
            raise AssayError("Silver has no decisions yet. Run: dbt build") from None
    took = round(1000 * (time.monotonic() - started))
    audit.append(
        home,
        "query",
        query_params={"decision": chain(_DOMAIN, decision_id, vault.read_keys(home.vault))[-1]},
        result_summary={"recordCount": len(decisions), "durationMs": took},
        lineage={"dataSource": "silver", "transformations": [], "output": "explanation"},
    )
    if not decisions:
        raise AssayError(
            "No such decision in silver. Land it in fraud_decisions, run dbt build, and give the "
            "id that its engine gave it."
        )
    methods = {row.pop("method") for row in contributions}
    return Explained(decisions[0], next(iter(methods), None), contributions, rules)


def _rows(warehouse: duckdb.DuckDBPyConnection, query: str, decision_id: str) -> list[Row]:
    found = warehouse.execute(query, {"decision": decision_id})
    names = [column[0] for column in found.description]
    return [dict(zip(names, row, strict=True)) for row in found.fetchall()]
