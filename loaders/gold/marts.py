"""What the project says of its marts: which published fact each reads, and what hides a figure.

Read from `models/gold/**/*.yml`. The arguments of the test `k_anonymous` are the one place that
says how a mart recounts from its fact.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import Any

import yaml

from loaders.errors import AssayError
from loaders.project import PROJECT

# Written in C where there is one: ten times as quick.
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_REF = re.compile(r"ref\('(\w+)'\)")
_DOC = re.compile(r"{{\s*doc\(\"(\w+)\"\)\s*}}")
_NOT_NULL = re.compile(r"^(\w+) is not null$")


@dataclass(frozen=True, slots=True)
class Mart:
    """One mart of gold, and how its rows come from those of its fact.

    `day` is the day of a row of the fact, `start` the beginning of the period of a row of the mart.
    `scope` are the conditions that say what the mart is about; `hour` is the label that must be
    there where it shows hours; `category` the column whose small values become Other.
    """

    name: str
    fact: str
    day: str
    start: str
    cell: tuple[str, ...]
    scope: tuple[str, ...]
    hour: str | None
    category: str | None
    has_safe_rows: bool
    hidden: dict[str, str]  # column -> why it may be null


def mart_of(name: str) -> Mart:
    """A mart by its name. Raises AssayError where it hides nothing, or there is no such mart."""
    known = read_marts()
    if name not in known and name in models_of("gold"):
        if not (tested := _tested(models_of("gold")[name])):
            raise AssayError(f"{name} is about operations, not people: nothing in it is hidden.")
        of = _REF.search(tested.get("made_of", ""))
        others = of.group(1) if of else ", ".join(sorted(known))
        raise AssayError(f"{name} has only figures that are made of others. Ask for: {others}.")
    if name not in known:
        raise AssayError(f"No mart {name}. There are: {', '.join(sorted(known))}.")
    return known[name]


@cache
def read_marts() -> dict[str, Mart]:
    """Every mart of gold that names a fact in which rows are published or withheld."""
    marts = (_mart(model) for model in models_of("gold").values())
    return {mart.name: mart for mart in marts if mart}


def is_about_operations(name: str) -> bool:
    """Whether a mart is about our own services, so that nothing in it is hidden."""
    return "about_operations" in models_of("gold").get(name, {}).get("data_tests", [])


@cache
def anonymous_marts() -> list[str]:
    """Marts that may leave their residency: k people in every cell, or noise, and no pseudonym."""
    return [
        name
        for name, model in models_of("gold").items()
        if _has_test(model, "k_anonymous") or _has_test(model, "differentially_private")
        if not any(column["name"].endswith("_hash") for column in model["columns"])
    ]


@cache
def thresholds() -> dict[str, int]:
    """The variables of the project: k, safe_rows, tail_subjects."""
    document = yaml.safe_load((PROJECT / "dbt_project.yml").read_text(encoding="utf-8"))
    return {name: value for name, value in document["vars"].items() if isinstance(value, int)}


@dataclass(frozen=True, slots=True)
class MartColumn:
    """A column of a mart as its contract has it; the type in BigQuery's spelling."""

    name: str
    data_type: str
    description: str


@cache
def columns_of(mart: str) -> dict[str, MartColumn]:
    """The columns of a mart of gold by name, none where there is no such mart."""
    model = models_of("gold").get(mart, {})
    return {
        c["name"]: MartColumn(c["name"], c["data_type"], _text(c["description"]))
        for c in model.get("columns", [])
    }


def description_of(mart: str) -> str:
    """What a mart of gold is, as its yml says."""
    return _text(models_of("gold")[mart]["description"])


def _mart(model: dict[str, Any]) -> Mart | None:
    arguments = _tested(model)
    reference = _REF.search(arguments.get("fact", ""))
    if reference is None:
        return None
    fact = reference.group(1)
    conditions = [part.strip() for part in arguments.get("fact_where", "true").split(" and ")]
    labels = [found.group(1) for found in map(_NOT_NULL.match, conditions) if found]
    scope = [c for c in conditions if c not in ("is_published", "true") and not _NOT_NULL.match(c)]
    columns = models_of("silver")[fact]["columns"]
    if all(column["name"] != "is_published" for column in columns):
        return None
    keys = {*arguments["keys"].values(), *arguments.get("hashed", {}).values()}
    return Mart(
        name=model["name"],
        fact=fact,
        day=next(column["name"] for column in columns if column["data_type"] == "date"),
        start=_start(model["columns"]),
        cell=tuple(
            column["name"]
            for column in columns
            if column["name"] in keys and column["name"] not in labels
        ),
        scope=tuple(scope),
        hour=labels[0] if labels else None,
        category=arguments.get("category"),
        has_safe_rows="safe_rows" in arguments,
        hidden={c["name"]: why for c in model["columns"] if (why := _why_null(c))},
    )


def _start(columns: list[dict[str, Any]]) -> str:
    """The column `period_start`, else the first date."""
    names = [column["name"] for column in columns if column["data_type"] == "date"]
    return "period_start" if not names or "period_start" in names else str(names[0])


def _tested(model: dict[str, Any]) -> dict[str, Any]:
    """The arguments of the model's test `k_anonymous`, none where it has no such test."""
    tests = [test for test in model.get("data_tests", []) if isinstance(test, dict)]
    found = (test["k_anonymous"]["arguments"] for test in tests if "k_anonymous" in test)
    return dict(next(found, {}))


def _has_test(model: dict[str, Any], test: str) -> bool:
    return any(test == given or test in given for given in model.get("data_tests", []))


def _why_null(column: dict[str, Any]) -> str:
    """The part of a column's description that says when it is null."""
    text = _text(column["description"])
    found = re.search(r"\bnull (below|where|unless|for|in)\b[^.]*", text, re.IGNORECASE)
    return found.group(0) if found else ""


def _text(description: str) -> str:
    """A description with its doc blocks, on one line."""
    return " ".join(_DOC.sub(lambda doc: _doc_blocks()[doc.group(1)], description).split())


@cache
def models_of(layer: str) -> dict[str, dict[str, Any]]:
    """What the ymls of a layer say of its models, by name."""
    found: dict[str, dict[str, Any]] = {}
    for path in sorted((PROJECT / "models" / layer).rglob("*.yml")):
        text = path.read_text(encoding="utf-8")
        document = yaml.load(text, Loader=_LOADER)  # noqa: S506 - both make plain values alone
        found |= {model["name"]: model for model in document.get("models", [])}
    return found


@cache
def _doc_blocks() -> dict[str, str]:
    texts = [p.read_text(encoding="utf-8") for p in (PROJECT / "models" / "docs").rglob("*.md")]
    blocks = re.findall(r"{%\s*docs (\w+)\s*%}(.*?){%\s*enddocs\s*%}", "\n".join(texts), re.DOTALL)
    return dict(blocks)
