"""The marts of claims say what pandas makes of the demo's files, and find what is planted."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import duckdb
import pandas as pd
import pytest
from conftest import Demo
from second_claims import K, claims_of, events_of, partner_hash, published

Rows = pd.DataFrame
Marts = Callable[..., Rows]
IN = {"day": ("day",), "week": ("day", "week"), "month": ("day", "week", "month")}
# How finely claims have to be told of each outcome that a cell of these labels may tell it.
VERIFIED = {("partner",): 1, ("partner", "kind"): 2, ("partner", "kind", "region"): 4}
SUSPICION = {
    ("day", "partner", "kind", "region"): 5,
    ("week", "partner", "kind", "bucket", "region"): 6,
    ("day", "partner"): 5,
    ("month", "kind", "region"): 4,
    ("month", "partner"): 2,
    ("month", "partner", "kind"): 3,
    ("month", "region"): 4,
}


@pytest.fixture(scope="module")
def told(demo: Demo) -> Rows:
    """Published claims, the partner as gold knows it."""
    claims = published(claims_of(events_of(demo.home.path / "demo")))
    hashes = {name: partner_hash(demo.home.vault, name) for name in claims["partner"].unique()}
    return claims.assign(name=claims["partner"], partner=claims["partner"].map(hashes))


@pytest.fixture(scope="module")
def marts(demo: Demo) -> Marts:
    def read(mart: str, *keys: str) -> Rows:
        with duckdb.connect(str(demo.home.warehouse), read_only=True) as warehouse:
            rows = warehouse.execute(f"from gold.{mart}").df()
        return rows.set_index(list(keys)).sort_index()

    return read


@pytest.fixture(scope="module")
def key(demo: Demo) -> dict[str, Any]:
    text = (demo.home.path / "demo" / "answer_key.json").read_text(encoding="utf-8")
    return dict(json.loads(text))


def cells(told: Rows, period: str, *keys: str, **figures: tuple[str, Any]) -> Rows:
    """Counts that most marts have, and other figures, of the rows that a period's marts tell.

    A part is told where each of its claims is told of the outcome by the labels of the cell.
    """
    rows = told[told["told"].isin(IN[period])]
    found = (
        rows.groupby([period, *keys])
        .agg(
            claims=("person", "size"),
            subjects=("person", "nunique"),
            flagged=("is_flagged", "sum"),
            verified=("is_verified", "sum"),
            fraud=("is_fraud", lambda found: found.eq(True).sum()),
            verified_level=("verified_level", "min"),
            suspicion_level=("suspicion_level", "min"),
            **figures,
        )
        .sort_index()
    )
    verified = found.pop("verified_level") >= VERIFIED.get(keys, 9)
    suspicion = found.pop("suspicion_level") >= SUSPICION.get((period, *keys), 9)
    found["verified"] = found["verified"].where(verified)
    found[["flagged", "fraud"]] = found[["flagged", "fraud"]].where(suspicion)
    return found


def agree(mart: Rows, expected: Rows, **columns: str) -> None:
    """The same cells, and the same figures in them."""
    assert list(mart.index) == list(expected.index)
    assert len(expected) > 5
    for name, figure in columns.items():
        pd.testing.assert_series_equal(
            mart[name], expected[figure], check_names=False, check_dtype=False, check_index=False
        )


def test_days(told: Rows, marts: Marts) -> None:
    expected = cells(
        told,
        "day",
        *("partner", "kind", "region"),
        score=("score", lambda score: round(score.mean(), 6)),
        p50=("ms", lambda ms: int(ms.median() + 0.5)),
    )
    mart = marts("daily_claim_stats", "date", "partner_id_hash", "claim_type", "region")
    agree(
        mart,
        expected,
        total_claims="claims",
        total_verified="verified",
        total_flagged="flagged",
        avg_fraud_score="score",
        p50_processing_time_ms="p50",
    )
    assert list(mart.reset_index().columns) == [
        *("date", "partner_id_hash", "claim_type", "region"),
        *("total_claims", "total_verified", "total_flagged", "avg_fraud_score"),
        *("p50_processing_time_ms", "p99_processing_time_ms", "updated_at"),
    ]


def test_patterns_and_the_ring(told: Rows, marts: Marts, key: dict[str, Any]) -> None:
    keys = ("partner_id_hash", "claim_type", "amount_bucket", "region")
    mart = marts("fraud_patterns_weekly", "period_start", *keys)
    expected = cells(told, "week", "partner", "kind", "bucket", "region", proofs=("proofs", "sum"))
    agree(
        mart,
        expected,
        claims="claims",
        subjects="subjects",
        flagged_claims="flagged",
        confirmed_fraud="fraud",
        proofs="proofs",
    )
    ring = key["claim_events"]["ring"]
    partner = told.loc[told["name"] == ring["partner"], "partner"].iloc[0]
    of_ring = mart.loc[(pd.Timestamp(ring["week"]), partner, ring["claim_type"])]
    largest = of_ring["claims"].idxmax()
    assert of_ring.loc[largest, "claims"] > ring["claims"] / 2
    assert pd.isna(of_ring.loc[largest, "confirmed_fraud"]), "nearly all of it is fraud"
    assert (mart["rank"].notna() == mart["confirmed_fraud"].notna()).all()


def test_months(told: Rows, marts: Marts) -> None:
    trends = marts("claim_type_trends_monthly", "period_start", "claim_type", "region")
    same = {"claims": "claims", "subjects": "subjects"}
    agree(trends, cells(told, "month", "kind", "region"), **same, confirmed_fraud="fraud")
    assert trends["seasonal_index"].isna().all(), "there is no year before"
    profiles = marts("partner_behavior_profiles", "period_start", "partner_id_hash")
    expected = cells(told, "month", "partner")
    agree(profiles, expected, **same)
    for rate, part in {"fraud_rate": "fraud", "verification_rate": "verified"}.items():
        whole = expected[part] / expected["claims"]
        assert list(profiles[rate]) == pytest.approx(list(whole), nan_ok=True)
        assert whole.notna().any()
        assert whole.isna().any()
    for (month, partner), row in profiles.iterrows():
        rows = told[(told["month"] == month) & (told["partner"] == partner)]
        for mix, column in {"claim_type": "kind", "hour_band": "band"}.items():
            assert json.loads(row[f"{mix}_mix"]) == rows[column].value_counts().to_dict()
        before = (month - pd.offsets.MonthBegin(1), partner)
        change = row["claims"] - expected["claims"][before] if before in expected.index else None
        assert row["claims_change"] == change or (change is None and pd.isna(row["claims_change"]))


def test_the_claims_of_a_month_are_told_but_for_few(told: Rows, key: dict[str, Any]) -> None:
    """Each once; what is told nowhere is less than k people of a month."""
    sent = {month: row["claims"] for month, row in key["claim_events"]["months"].items()}
    left = pd.Series(sent) - told.groupby(told["month"].dt.strftime("%Y-%m")).size()
    assert told.index.is_unique
    assert left.between(0, K).all()


def test_features(told: Rows, marts: Marts) -> None:
    features = marts("partner_features_daily", "period_start", "partner_id_hash")
    expected = cells(told, "day", "partner")
    agree(features, expected, claims="claims", confirmed_fraud="fraud", subjects="subjects")
    for (day, partner), row in features.iterrows():
        week = expected.xs(partner, level="partner").loc[day - pd.Timedelta(days=6) : day]
        rate = week["fraud"].sum(skipna=False) / week["claims"].sum()
        assert row["partner_fraud_rate_7d"] == pytest.approx(rate, nan_ok=True)
    kinds = marts("claim_type_features_daily", "period_start", "claim_type", "currency")
    expected = cells(told, "day", "kind", "currency", cents=("cents", "sum"))
    agree(kinds, expected, claims="claims", subjects="subjects")
    shown = kinds["amount_minor"].notna()
    assert shown.any()
    assert (kinds.loc[shown, "amount_minor"] == expected.loc[shown.to_numpy(), "cents"]).all()


def test_benchmarks(told: Rows, marts: Marts) -> None:
    """Of the other partners of the industry, ten at least when any one of them is left out."""
    mart = marts("partner_benchmarks_monthly", "period_start", "partner_id_hash", "claim_type")
    known = told[(told["partner"] != "Other") & (told["kind"] != "Other")]
    expected = cells(known, "month", "partner", "kind")
    agree(mart, expected, claims="claims", subjects="subjects")
    figures = pd.DataFrame(
        {
            "fraud_rate": expected["fraud"] / expected["claims"],
            "verification_rate": expected["verified"] / expected["claims"],
            "p50_ms": known.groupby(["month", "partner", "kind"])["ms"].median(),
        }
    )
    told_of = 0
    for (month, partner, kind), row in mart.iterrows():
        others = [
            cell
            for cell in mart.index
            if cell[0] == month
            and cell[1] != partner
            and cell[2] == kind
            and mart["industry"][cell] == row["industry"]
        ]
        for figure, near in {"fraud_rate": 1e-9, "verification_rate": 1e-9, "p50_ms": 1}.items():
            of_others = figures.loc[others, figure].dropna()
            sizes = expected["claims"][of_others.index]
            left = [sizes.drop([other]) for other in sizes.index]
            if left and all(len(s) >= K and 2 * s.max() <= s.sum() for s in left):
                told_of += 1
                for quarter, share in {"p25": 0.25, "p50": 0.5, "p75": 0.75}.items():
                    found = row[f"industry_{figure}_{quarter}"]
                    wanted = of_others.quantile(share)
                    assert abs(found - wanted) <= near
            else:
                assert pd.isna(row[f"industry_{figure}_p50"])
    assert told_of > 10


def test_what_a_region_is_flagged_for(told: Rows, marts: Marts) -> None:
    mart = marts("model_bias_monthly", "dimension", "period_start", "value")
    expected = cells(told, "month", "region")
    agree(mart.loc["region"], expected, claims="claims", subjects="subjects")
    rates = expected["flagged"] / expected["claims"]
    assert list(mart.loc["region"]["flag_rate"]) == pytest.approx(list(rates), nan_ok=True)
    assert (mart["is_flagged"].notna() == mart["flag_rate"].notna()).all()


def test_calls(demo: Demo, marts: Marts, key: dict[str, Any]) -> None:
    """The failing partner fails most, and no row has fewer than ten people and a hundred calls."""
    mart = marts("verification_metrics_daily", "partner_id_hash")
    assert ((mart["subjects"] >= K) | (mart["events"] >= 100)).all()
    calls = mart[mart["api_calls"] > 0]
    failing = partner_hash(demo.home.vault, key["claim_events"]["failing_partner"])
    rates = calls.groupby(level=0).agg({"success_rate": "mean", "api_calls": "sum"})
    if failing in rates.index:
        assert rates["success_rate"].idxmin() == failing
    assert rates["api_calls"].sum() > 100


def test_hours_of_calls(demo: Demo, marts: Marts, key: dict[str, Any]) -> None:
    """The shop that calls at night is seen, with all its calls; no other has enough in an hour."""
    mart = marts("api_usage_hourly", "period_start").reset_index()
    assert set(mart["period_start"].dt.hour) == {key["claim_events"]["nightly"]["hour"]}
    events = events_of(demo.home.path / "demo")
    calls = events[events["event_type"] == "api_call"]
    calls = calls[calls["partner_id"] == key["claim_events"]["nightly"]["partner"]]
    calls = calls[calls["api_endpoint"] == "/v1/claims"]
    created = calls[calls["http_status"] == 201].groupby(calls["at"].dt.date).size()
    told = mart[(mart["api_endpoint"] == "/v1/claims") & (mart["status_class"] == "2xx")]
    assert len(told) > 5
    days = told["period_start"].dt.date
    assert list(told["calls"]) == list(days.map(created))
    assert (told["error_rate"] == 0).all()


def test_requests(marts: Marts, key: dict[str, Any]) -> None:
    mart = marts("data_subject_request_stats", "status")
    counts = mart.groupby(level=0)["requests"].sum().to_dict()
    assert counts == key["data_subject_requests"]["statuses"]
    assert mart.loc["completed", "open_requests"].sum() == 0
