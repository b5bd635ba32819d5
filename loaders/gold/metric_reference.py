"""The reference page of the metrics, docs/metrics.md, made from their one definition.

That is `models/metrics/`: one file per published fact, with a semantic model and metrics.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import yaml

from loaders.gold.marts import thresholds
from loaders.project import PROJECT

_DIMENSION = re.compile(r"{{ *Dimension\('\w+?__(\w+)'\) *}}")
_PUBLISHED = re.compile(r"^case when is_published then (.+) end$")
_DIRECTIONS = {"up_is_good": "up", "up_is_bad": "down", "neutral": ""}
_COLUMNS = (
    "metric",
    "category",
    "what it says",
    "formula",
    "unit",
    "good news",
    "adds up",
    "shown from",
    "null if partial",
    "split by",
)
_INTRODUCTION = """# What each metric means

Made from `models/metrics/` by `assay metrics > docs/metrics.md`; do not edit it here. Each metric
is defined there once, as a dbt semantic model and a metric that MetricFlow reads too.

The marts are `metrics` (in total), `metric_time_series` (by one dimension at a time as well) and
`metric_trends` ([trends](trends.md)), each by hour, day, ISO week and month, in UTC.

- Only published rows count: see [privacy](privacy.md). An hour holds what stands alone in it, so
  the hours do not add up to the day. Weeks and months are whole days.
- What adds up may be summed over days and over the values of a dimension. What does not is counted
  again from the rows of each period; a rate is the ratio of two such figures.
- A metric is not split by a dimension that its own formula names.
- A figure that is null if partial is so where rows that may belong to it are withheld, or are Other
  in a label that its formula names: it is never computed over the rest. A 0 then means none. So is
  a sum where, on one of its days, too few people stand behind the amounts, or one of them behind
  more than half; and where the amounts are of several currencies. Such rates and sums are null by
  the hour. By a dimension, a figure is of what is published under that value.
- A figure is null with fewer people behind it than it is shown from, or fewer rows where only safe
  keys name the cell.
"""


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric as a reader needs it. `good` is the direction that is good news, if any is."""

    name: str
    category: str
    description: str
    formula: str
    unit: str
    good: str
    is_additive: bool
    shown_from: str
    is_null_if_partial: bool
    dimensions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Subject:
    """A published fact and its metrics."""

    name: str
    description: str
    model: str
    owner: str
    metrics: tuple[Metric, ...]


def read_metrics() -> list[Subject]:
    """Every fact with its metrics, in the order of the files and of what is in them."""
    found = []
    for path in sorted((PROJECT / "models" / "metrics").rglob("*.yml")):
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
        (model,) = document["semantic_models"]
        found.append(_subject(model, document["metrics"]))
    return found


def _subject(model: dict[str, Any], metrics: list[dict[str, Any]]) -> Subject:
    measures = {measure["name"]: measure for measure in model["measures"]}
    by_name = {metric["name"]: metric for metric in metrics}
    return Subject(
        name=model["name"],
        description=model["description"],
        model=re.sub(r"ref\('(\w+)'\)", r"\1", model["model"]),
        owner=_meta(model)["owner"],
        metrics=tuple(_metric(metric, by_name, measures, model) for metric in metrics),
    )


def _metric(
    metric: dict[str, Any],
    others: dict[str, dict[str, Any]],
    measures: dict[str, dict[str, Any]],
    model: dict[str, Any],
) -> Metric:
    measure = measures.get(_measure_name(metric), {})
    meta = {**_meta(model), **_meta(measure), **_meta(metric)}
    named = _named(metric, others)
    (person,) = [e["expr"] for e in model["entities"] if e["name"] == "person"]
    dimensions = [d["name"] for d in model["dimensions"] if d["type"] == "categorical"]
    return Metric(
        name=metric["name"],
        category=meta["category"],
        description=metric["description"],
        formula=_formula(metric, measure, person),
        unit=meta["unit"],
        good=_DIRECTIONS[meta["direction"]],
        is_additive=meta["additive"],
        shown_from=_shown_from(meta.get("minimum")),
        is_null_if_partial=_is_null_if_partial(metric, others, measures, model),
        dimensions=tuple(d for d in dimensions if d not in named),
    )


def _formula(metric: dict[str, Any], measure: dict[str, Any], person: str) -> str:
    parameters = metric["type_params"]
    if metric["type"] == "ratio":
        return f"{parameters['numerator']} / {parameters['denominator']}"
    if metric["type"] == "derived":
        return str(parameters["expr"])
    what = _PUBLISHED.sub(r"\1", measure["expr"]).replace(person, "people")
    counted = {
        "count": "rows",
        "count_distinct": f"distinct {what}",
        "sum": f"sum of {what}",
        "average": f"mean of {what}",
    }
    if measure["agg"] == "percentile":
        said = f"{100 * measure['agg_params']['percentile']:g}th percentile of {what}"
    else:
        said = counted[measure["agg"]]
    return f"{said} where {_filter(metric)}" if _filter(metric) else said


def _filter(metric: dict[str, Any]) -> str:
    filters = metric.get("filter", [])
    joined = filters if isinstance(filters, str) else " and ".join(filters)
    return _DIMENSION.sub(r"\1", joined)


def _named(metric: dict[str, Any], others: dict[str, dict[str, Any]]) -> set[str]:
    """Dimensions in the filters of a metric and of its parts: it is not split by these."""
    filters = metric.get("filter", [])
    joined = filters if isinstance(filters, str) else " ".join(filters)
    return set(_DIMENSION.findall(joined)).union(
        *(_named(others[part], others) for part in _parts(metric))
    )


def _parts(metric: dict[str, Any]) -> list[str]:
    parameters = metric["type_params"]
    if metric["type"] == "ratio":
        return [parameters["numerator"], parameters["denominator"]]
    parts = parameters.get("metrics", [])
    return [part if isinstance(part, str) else part["name"] for part in parts]


def _is_null_if_partial(
    metric: dict[str, Any],
    others: dict[str, dict[str, Any]],
    measures: dict[str, dict[str, Any]],
    model: dict[str, Any],
) -> bool:
    """Whether a metric says so, or one of those that it is made of."""
    parts = _parts(metric)
    if parts:
        return any(_is_null_if_partial(others[part], others, measures, model) for part in parts)
    meta = {**_meta(model), **_meta(measures[_measure_name(metric)]), **_meta(metric)}
    return bool(meta.get("null_if_partial") or meta.get("shown_where"))


def _measure_name(metric: dict[str, Any]) -> str:
    measure = metric["type_params"].get("measure", "")
    return str(measure if isinstance(measure, str) else measure["name"])


def _shown_from(minimum: list[str] | None) -> str:
    if minimum is None:
        return "as its parts are"
    people, *rows = (thresholds()[name] for name in minimum)
    return f"{people} people" + "".join(f" or {number} rows" for number in rows)


def _meta(node: dict[str, Any]) -> dict[str, Any]:
    return dict(node.get("config", {}).get("meta", {}))


def as_page(subjects: list[Subject]) -> list[str]:
    """The page, line by line, in Markdown."""
    lines = _INTRODUCTION.splitlines()
    for subject in subjects:
        lines += [
            "",
            f"## {subject.name.replace('_', ' ').capitalize()}",
            "",
            f"{subject.description} Made of `{subject.model}`, owner: {subject.owner}.",
            "",
            f"| {' | '.join(_COLUMNS)} |",
            "|" + "---|" * len(_COLUMNS),
        ]
        lines += [_row(metric) for metric in subject.metrics]
    return lines


def _row(metric: Metric) -> str:
    cells = [
        f"`{metric.name}`",
        metric.category,
        metric.description,
        f"`{metric.formula}`",
        metric.unit,
        metric.good,
        "yes" if metric.is_additive else "no",
        metric.shown_from,
        "yes" if metric.is_null_if_partial else "no",
        ", ".join(metric.dimensions),
    ]
    return f"| {' | '.join(cells)} |"
