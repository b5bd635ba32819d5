"""A small dbt project on the stand-in, with the stock BigQuery adapter: built, changed, built."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from standin import StandIn

PROJECT = {
    "dbt_project.yml": """
        name: toy
        profile: toy
        flags: {send_anonymous_usage_stats: false}
        models: {toy: {+persist_docs: {relation: true, columns: true}}}
        """,
    "profiles.yml": """
        toy:
          target: bigquery
          outputs:
            bigquery:
              type: bigquery
              method: oauth-secrets
              token: not-a-token
              project: stand-in
              dataset: toy
              location: US
              threads: 4
              job_retries: 0
              api_endpoint: "{{ env_var('STAND_IN') }}"
        """,
    "seeds/people.csv": """
        id,name,joined
        1,Ada,2024-01-01
        2,,2024-01-02
        3,"O, K",2024-02-01
        """,
    "models/adults.sql": """
        {{ config(materialized='view') }}
        select id, name from {{ ref('people') }} where id > 1
        """,
    "models/days.sql": """
        {{ config(
            materialized='table',
            partition_by={'field': 'joined', 'data_type': 'date'},
            cluster_by=['name'],
            labels={'team': 'data'},
            hours_to_expiration=12,
            grants={'roles/bigquery.dataViewer': ['user:a@b.c']},
            contract={'enforced': true}
        ) }}
        select joined, name, date_trunc(joined, week) as week from {{ ref('people') }}
        """,
    "models/merged.sql": """
        {{ config(
            materialized='incremental', unique_key='id', on_schema_change='append_new_columns'
        ) }}
        select id, name{% if is_incremental() %}, 'new' as extra{% endif %} from {{ ref('people') }}
        {% if is_incremental() %} where id > 2 {% endif %}
        """,
    "models/overwritten.sql": """
        {{ config(
            materialized='incremental',
            incremental_strategy='insert_overwrite',
            partition_by={'field': 'joined', 'data_type': 'date', 'granularity': 'month'}
        ) }}
        select id, joined from {{ ref('people') }}
        {% if is_incremental() %} where joined >= _dbt_max_partition {% endif %}
        """,
    "models/schema.yml": """
        sources:
          - name: raw
            tables:
              - name: events
                config:
                  loaded_at_field: seen_at
                  freshness: {warn_after: {count: 1, period: day}}
        models:
          - name: adults
            description: People after the first
            columns:
              - {name: id, description: The key, data_tests: [unique, not_null]}
              - {name: name, data_tests: [{not_null: {config: {severity: warn}}}]}
          - name: days
            columns:
              - {name: joined, data_type: date, constraints: [{type: not_null}]}
              - {name: name, data_type: string}
              - {name: week, data_type: date}
        """,
    "snapshots/history.sql": """
        {% snapshot history %}
        {{ config(schema='toy', unique_key='id', strategy='check', check_cols=['name']) }}
        select id, name from {{ ref('people') }}
        {% endsnapshot %}
        """,
    "macros/generate_schema_name.sql": """
        {% macro generate_schema_name(custom, node) %}{{ custom or target.schema }}{% endmacro %}
        """,
}
CHANGED_SEED = """
    id,name,joined
    1,Ada L,2024-01-01
    3,Kay,2024-02-01
    4,Lin,2024-02-03
    """


def unindented(text: str) -> str:
    """A text without the indentation of its first line."""
    lines = text.strip("\n").rstrip().split("\n")
    indentation = len(lines[0]) - len(lines[0].lstrip())
    return "\n".join(line[indentation:] for line in lines) + "\n"


@dataclass
class Toy:
    """The project, built twice."""

    folder: Path
    standin: StandIn
    first: dict[str, list[dict[str, Any]]]

    def dbt(self, *arguments: str) -> str:
        """Run dbt in the project. What it printed."""
        result = subprocess.run(
            [str(Path(sys.executable).with_name("dbt")), "--no-use-colors", *arguments],
            cwd=self.folder,
            env={**os.environ, "STAND_IN": self.standin.endpoint},
            capture_output=True,
            text=True,
            check=False,
        )
        assert result.returncode == 0, result.stdout[-4000:]
        return result.stdout


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Toy]:
    """The project after a first build and one with a changed seed."""
    folder = tmp_path_factory.mktemp("toy")
    for name, text in PROJECT.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(unindented(text), encoding="utf-8")
    with StandIn() as standin:
        seen = pa.array([datetime(2020, 1, 1)], pa.timestamp("us", "UTC"))
        standin.put("raw", "events", pa.table({"seen_at": seen}))
        made = Toy(folder, standin, {})
        assert "PASS=8 WARN=1 ERROR=0" in made.dbt("build")
        tables = ("people", "days", "merged", "overwritten", "history")
        made.first = {table: standin.rows("toy", table) for table in tables}
        (folder / "seeds/people.csv").write_text(unindented(CHANGED_SEED), encoding="utf-8")
        assert "PASS=9 WARN=0 ERROR=0" in made.dbt("build")
        yield made


def by_id(rows: list[dict[str, Any]]) -> dict[int, dict[str, Any]]:
    """Rows by their key."""
    return {row["id"]: row for row in rows}


def test_seeds_tell_text_from_nothing(toy: Toy) -> None:
    assert toy.first["people"] == [
        {"id": 1, "name": "Ada", "joined": date(2024, 1, 1)},
        {"id": 2, "name": None, "joined": date(2024, 1, 2)},
        {"id": 3, "name": "O, K", "joined": date(2024, 2, 1)},
    ]


def test_a_table_has_the_properties_of_its_model(toy: Toy) -> None:
    weeks = {row["joined"]: row["week"] for row in toy.first["days"]}
    assert weeks[date(2024, 1, 2)] == date(2023, 12, 31)  # a Sunday
    dataset = toy.standin.warehouse.dataset("stand-in", "toy")
    days = dataset.tables["days"]
    assert days.properties["timePartitioning"] == {"type": "DAY", "field": "joined"}
    assert days.properties["clustering"] == {"fields": ["name"]}
    assert days.properties["labels"] == {"team": "data"}
    assert int(days.properties["expirationTime"]) - days.created == pytest.approx(
        12 * 3_600_000, abs=60_000
    )
    assert days.access == {"roles/bigquery.dataViewer": {"user:a@b.c"}}
    assert [field["mode"] for field in days.fields] == ["REQUIRED", "NULLABLE", "NULLABLE"]
    adults = dataset.tables["adults"]
    assert adults.properties["description"] == "People after the first"
    assert adults.fields[0]["description"] == "The key"


def test_merge_updates_and_adds_and_takes_a_new_column(toy: Toy) -> None:
    assert [row["name"] for row in toy.first["merged"]] == ["Ada", None, "O, K"]
    assert by_id(toy.standin.rows("toy", "merged")) == {
        1: {"id": 1, "name": "Ada", "extra": None},
        2: {"id": 2, "name": None, "extra": None},
        3: {"id": 3, "name": "Kay", "extra": "new"},
        4: {"id": 4, "name": "Lin", "extra": "new"},
    }


def test_insert_overwrite_replaces_whole_partitions(toy: Toy) -> None:
    assert len(toy.first["overwritten"]) == 3
    rows = by_id(toy.standin.rows("toy", "overwritten"))
    assert {key: row["joined"] for key, row in rows.items()} == {
        1: date(2024, 1, 1),
        2: date(2024, 1, 2),
        3: date(2024, 2, 1),
        4: date(2024, 2, 3),
    }


def test_a_snapshot_closes_what_changed(toy: Toy) -> None:
    assert all(row["dbt_valid_to"] is None for row in toy.first["history"])
    rows = toy.standin.rows("toy", "history")
    assert sorted((row["id"], row["name"] or "", row["dbt_valid_to"] is None) for row in rows) == [
        (1, "Ada", False),
        (1, "Ada L", True),
        (2, "", True),
        (3, "Kay", True),
        (3, "O, K", False),
        (4, "Lin", True),
    ]


def test_docs_know_columns_and_sizes(toy: Toy) -> None:
    toy.dbt("docs", "generate", "--no-compile")
    text = (toy.folder / "target" / "catalog.json").read_text(encoding="utf-8")
    catalog = json.loads(text)
    assert catalog["errors"] is None
    people = catalog["nodes"]["seed.toy.people"]
    assert {name: column["type"] for name, column in people["columns"].items()} == {
        "id": "INT64",
        "name": "STRING",
        "joined": "DATE",
    }
    assert people["stats"]["num_rows"]["value"] == 3
    days = catalog["nodes"]["model.toy.days"]
    assert days["stats"]["partitioning_type"]["value"] == "joined"
    assert days["stats"]["clustering_fields"]["value"] == "name"


def test_freshness_is_read_from_the_rows(toy: Toy) -> None:
    assert "WARN freshness of raw.events" in toy.dbt("source", "freshness")
    sources = json.loads((toy.folder / "target" / "sources.json").read_text(encoding="utf-8"))
    (result,) = sources["results"]
    assert datetime.fromisoformat(result["max_loaded_at"]) == datetime(2020, 1, 1, tzinfo=UTC)


def test_every_statement_was_valid_and_named_by_dbt(toy: Toy) -> None:
    assert toy.standin.statements.refused == 0
    assert {job.location for job in toy.standin.jobs} == {"US"}
    assert any(job.labels.get("dbt_invocation_id") for job in toy.standin.jobs)
