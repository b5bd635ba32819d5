"""Great Expectations, as `assay check` uses it: pandas frames of one batch, no samples, no calls.

It is an extra and takes seconds to import, so it is imported when an engine is made. It is given
the values of no column that no expectation looks at, and none of a column of the wrong type, since
the text of an error might quote them.
"""

from __future__ import annotations

import importlib
import os
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from loaders.checks.expectations import Expectation
from loaders.errors import AssayError

# What pandas calls the type of a column, as the expectation about types wants it.
_PANDAS_NAMES = {
    "string": "str",
    "int64": "int64",
    "float64": "float64",
    "bool": "bool",
    "timestamp": "Timestamp",
    "date": "date",
    "bytes": "bytes",
}
# Counts only: not one unexpected value is kept.
_COUNTS_ONLY = {"result_format": "BASIC", "partial_unexpected_count": 0}
# The later one says more: a column that is missing is of no type.
_OF_A_COLUMN = ("expect_column_values_to_be_of_type", "expect_column_to_exist")
_SITE = "assay"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one batch made of one expectation."""

    expectation: str
    column: str | None
    success: bool
    unexpected_count: int | None
    unexpected_percent: float | None


class Engine:
    """Validates batches. `docs` is the folder that `write_docs` fills, if it is wanted."""

    def __init__(self, docs: Path | None = None) -> None:
        os.environ["GX_ANALYTICS_ENABLED"] = "false"  # before the import, which reads it
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                self._gx: Any = importlib.import_module("great_expectations")
            self._pandas: Any = importlib.import_module("pandas")
        except ImportError:
            raise AssayError(
                'assay check needs Great Expectations: pip install "assay-lakehouse[check]"'
            ) from None
        types = importlib.import_module("great_expectations.data_context.types.base")
        self._runs = importlib.import_module("great_expectations.core.run_identifier")
        self._context = self._gx.get_context(mode="ephemeral")
        self._context.enable_analytics(enable=False)
        self._context.variables.progress_bars = types.ProgressBarsConfig(globally=False)
        self._source = self._context.data_sources.add_pandas("bronze")
        self._checkpoints: dict[str, Any] = {}
        if docs:
            self._context.add_data_docs_site(
                _SITE,
                {
                    "class_name": "SiteBuilder",
                    "show_how_to_buttons": False,
                    "store_backend": {
                        "class_name": "TupleFilesystemStoreBackend",
                        "base_directory": str(docs.resolve()),
                    },
                    "site_index_builder": {"class_name": "DefaultSiteIndexBuilder"},
                },
            )

    def add_suite(self, name: str, suite: list[Expectation]) -> None:
        """Make a suite that batches can be validated against. Its name is that of its page."""
        if name in self._checkpoints:
            return
        expectations = [self._expectation(expectation) for expectation in suite]
        frame = self._source.add_dataframe_asset(name)
        definition = self._gx.ValidationDefinition(
            name=name,
            data=frame.add_batch_definition_whole_dataframe("batch"),
            suite=self._context.suites.add(
                self._gx.ExpectationSuite(name=name, expectations=expectations)
            ),
        )
        self._checkpoints[name] = self._context.checkpoints.add(
            self._gx.Checkpoint(
                name=name,
                validation_definitions=[self._context.validation_definitions.add(definition)],
                result_format=_COUNTS_ONLY,
            )
        )

    def validate(self, name: str, batch_id: str, batch: pa.Table, rows: int) -> list[Outcome]:
        """What a batch makes of a suite; `rows` is how many it should have.

        Of a column that is missing, or of another type, only that is said.
        """
        result = self._checkpoints[name].run(
            batch_parameters={"dataframe": self._frame(batch)},
            expectation_parameters={"batch_ids": [batch_id], "rows": rows},
            run_id=self._runs.RunIdentifier(run_name=batch_id),
        )
        (run,) = result.run_results.values()
        misshapen = {
            found.expectation_config.kwargs["column"]: found.expectation_config.type
            for kind in _OF_A_COLUMN
            for found in run.results
            if found.expectation_config.type == kind and not found.success
        }
        return [_outcome(found, rows) for found in run.results if not _is_moot(found, misshapen)]

    def write_docs(self) -> str:
        """Write the pages of all that was validated. Returns the path of the first one."""
        pages: dict[str, str] = self._context.build_data_docs(site_names=[_SITE])
        return pages[_SITE].removeprefix("file://")

    def _expectation(self, expectation: Expectation) -> Any:
        words = expectation.kind.split("_")
        arguments = dict(expectation.arguments)
        if "type_" in arguments:
            arguments["type_"] = _PANDAS_NAMES[arguments["type_"]]
        if expectation.column:
            arguments["column"] = expectation.column
        kind = getattr(self._gx.expectations, "".join(word.title() for word in words))
        return kind(**arguments)

    def _frame(self, batch: pa.Table) -> Any:
        pandas = self._pandas
        known = {
            pa.string(): pandas.StringDtype(),
            pa.large_string(): pandas.StringDtype(),
            pa.bool_(): pandas.BooleanDtype(),
            pa.float32(): pandas.Float32Dtype(),
            pa.float64(): pandas.Float64Dtype(),
            pa.int32(): pandas.Int32Dtype(),
            pa.int64(): pandas.Int64Dtype(),
        }

        def dtype(given: pa.DataType) -> Any:
            if pa.types.is_timestamp(given):
                return None  # pandas has them, with their time zone
            return known.get(given, pandas.ArrowDtype(given))

        return batch.to_pandas(types_mapper=dtype)


def _is_moot(found: Any, misshapen: dict[str, str]) -> bool:
    """Whether all there is to say is that a column is missing, or of another type."""
    arguments = found.expectation_config.kwargs
    if "column" in arguments:
        kind = found.expectation_config.type
        return bool(misshapen.get(arguments["column"], kind) != kind)
    if "column_list" in arguments:  # of all columns, or of those that identify a row
        return any(name in misshapen for name in arguments["column_list"])
    return False


def _outcome(found: Any, rows: int) -> Outcome:
    kind, result = found.expectation_config.type, found.result
    count, percent = result.get("unexpected_count"), result.get("unexpected_percent")
    if kind == "expect_table_row_count_to_equal":
        count = abs(int(result["observed_value"]) - rows)
    return Outcome(
        kind,
        found.expectation_config.kwargs.get("column"),
        bool(found.success),
        None if count is None else int(count),
        None if percent is None else float(percent),
    )
