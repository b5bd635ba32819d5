"""Which statements of an increment let BigQuery skip partitions: it goes by constants alone.

Read off what dbt wrote down for the BigQuery target, since the stand-in has no partitions.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

# What renews whole days forgets them by name; what renews keys looks for these in all of its days.
BY_DAYS = {"days", "periods", "since", "facts"}
_FORGOTTEN = re.compile(r"delete from \S+ where (.*?);", re.DOTALL)
_DAY = r"date '\d{4}-\d\d-\d\d'"
_READ = re.compile(r"from `[^`]+`\.`\w+_bronze`\.`(\w+)`(.*?)\n\)", re.DOTALL)
_INGESTED = re.compile(rf"\bingest_date (>=|in \() ?{_DAY}|\bfalse\b")


def forgets(target: Path) -> dict[str, bool]:
    """Of each model that renewed days in the last run: whether it says which, as constants."""
    return {
        node["name"]: "select" not in told[1] and bool(re.search(rf"{_DAY}|\bfalse\b", told[1]))
        for node, _ in _ran(target)
        if node["config"].get("meta", {}).get("renews", {}).keys() & BY_DAYS
        and (told := _FORGOTTEN.search(_written(target, node)))
    }


def reads(target: Path, tables: set[str]) -> dict[str, bool]:
    """Of each model that read these tables of bronze in the last run: whether it says of when."""
    return {
        node["name"]: all(_INGESTED.search(condition) for _, condition in read)
        for node, compiled in _ran(target)
        if (read := [found for found in _READ.findall(compiled) if found[0] in tables])
    }


def _ran(target: Path) -> Iterator[tuple[dict, str]]:
    """Models of the last run, and the SQL that dbt made of them."""
    nodes = json.loads((target / "manifest.json").read_bytes())["nodes"]
    for result in json.loads((target / "run_results.json").read_bytes())["results"]:
        if not result["unique_id"].startswith("model."):
            continue  # tests, seeds, and the exposures that a build tells of too
        node = nodes[result["unique_id"]]
        if node["config"]["materialized"] != "view":
            yield node, result["compiled_code"]


def _written(target: Path, node: dict) -> str:
    path = target / "run" / node["package_name"] / node["original_file_path"]
    return path.read_text(encoding="utf-8")
