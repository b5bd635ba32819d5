"""GoogleSQL in process: Google's own parser, analyzer and reference evaluator, as WASM.

The `zetasql` package brings the engine; this module calls its services with their raw messages,
because the package's own layer compiles the engine at every start, copies memory byte by byte in
Python, and knows only four types of value.
"""

from __future__ import annotations

import ctypes
import itertools
import re
import threading
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar

from google.protobuf import empty_pb2
from google.protobuf.message import Message
from wasmtime import Config, Engine, Linker, Module, Store, Trap, WasiConfig
from zetasql.core.exceptions import ServerError
from zetasql.core.wasm_client import WasmClient, get_tzinfo_dir
from zetasql.wasi import get_wasm_path
from zetasql.wasi._pb2.zetasql.local_service import local_service_pb2 as service
from zetasql.wasi._pb2.zetasql.parser.parse_tree_pb2 import ASTScriptProto
from zetasql.wasi._pb2.zetasql.proto import options_pb2
from zetasql.wasi._pb2.zetasql.proto.simple_catalog_pb2 import SimpleCatalogProto
from zetasql.wasi._pb2.zetasql.public import options_pb2 as public
from zetasql.wasi._pb2.zetasql.public.type_pb2 import TypeProto
from zetasql.wasi._pb2.zetasql.public.value_pb2 import ValueProto
from zetasql.wasi._pb2.zetasql.resolved_ast.resolved_ast_pb2 import AnyResolvedStatementProto

from loaders.leases import leased

_Response = TypeVar("_Response", bound=Message)

_KEPT_CATALOGS = 32
CACHE = Path(__file__).resolve().parents[3] / ".cache" / "googlesql"

# What the engine's widest set of features lacks, and BigQuery has.
_ADDED_FEATURES = [
    "ALLOW_DASHES_IN_TABLE_NAME",
    "DIFFERENTIAL_PRIVACY",
    "DIFFERENTIAL_PRIVACY_THRESHOLDING",
    "DIFFERENTIAL_PRIVACY_REPORT_FUNCTIONS",
    "DIFFERENTIAL_PRIVACY_MAX_ROWS_CONTRIBUTED",
    "DIFFERENTIAL_PRIVACY_PUBLIC_GROUPS",
    "DIFFERENTIAL_PRIVACY_MIN_PRIVACY_UNITS_PER_GROUP",
]
# What it has, and BigQuery lacks.
_REMOVED_FEATURES = [
    "AGGREGATE_FILTERING",
    "ALLOW_SLASH_PATHS",
    "ANONYMIZATION",
    "ARRAY_FIND_FUNCTIONS",
    "ARRAY_GREATEST_LEAST",
    "ARRAY_ZIP",
    "DML_RETURNING",
    "DOT_PRODUCT",
    "ENFORCE_CONDITIONAL_EVALUATION",
    "FIRST_AND_LAST_N",
    "INSERT_ON_CONFLICT_CLAUSE",
    "L1_NORM",
    "L2_NORM",
    "LATERAL_COLUMN_REFERENCES",
    "LATERAL_JOIN",
    "MANHATTAN_DISTANCE",
    "MAP_TYPE",
    "MULTIWAY_UNNEST",
    "NULLIFZERO_ZEROIFNULL",
    "PI_FUNCTIONS",
    "PROTO_BASE",
    "PROTO_MAPS",
    "ROW_TYPE",
    "SPANNER_LEGACY_DDL",
    "SQL_GRAPH",
    "TEST_IDEALLY_DISABLED",
    "TEST_IDEALLY_ENABLED_BUT_IN_DEVELOPMENT",
    "TIMESTAMP_NANOS",
    "TIMESTAMP_PICOS",
    "UUID_TYPE",
    "WITH_EXPRESSION",
]
# Without these rewrites the evaluator refuses what the analyzer accepts.
_ADDED_REWRITES = [
    "AGGREGATION_THRESHOLD",
    "ANONYMIZATION",
    "MULTIWAY_UNNEST",
    "ORDER_BY_AND_LIMIT_IN_AGGREGATE",
]


_versions = itertools.count()


class SqlError(Exception):
    """What GoogleSQL says against a statement."""


@dataclass(frozen=True)
class Column:
    """A column as the engine knows it."""

    name: str
    type: TypeProto


@dataclass(frozen=True)
class Rows:
    """Columns and rows, encoded as the engine reads and writes them. Never changed in place.

    The version tells two contents apart without comparing them.
    """

    columns: list[Column]
    content: service.TableContent = field(default_factory=service.TableContent)
    version: int = field(default_factory=lambda: next(_versions))

    @classmethod
    def of(cls, columns: list[Column], rows: Iterable[service.TableData.Row]) -> Rows:
        """Encoded rows under some columns."""
        content = service.TableContent()
        content.table_data.row.extend(rows)
        return cls(columns, content)

    @property
    def rows(self) -> Sequence[service.TableData.Row]:
        """The encoded rows."""
        return self.content.table_data.row

    def __len__(self) -> int:
        return len(self.rows)


@dataclass(frozen=True)
class Scalar:
    """One value and its type: a script variable or a query parameter."""

    type: TypeProto
    value: ValueProto


@dataclass
class Scope:
    """What a statement may name.

    The evaluator reads only tables whose name is one identifier, so each relation is there under
    such a name; the spellings are the paths that a statement as written uses for them.
    """

    relations: dict[str, Rows] = field(default_factory=dict)
    spellings: dict[tuple[str, ...], str] = field(default_factory=dict)
    variables: dict[str, Scalar] = field(default_factory=dict)
    named: dict[str, Scalar] = field(default_factory=dict)
    positional: list[Scalar] = field(default_factory=list)

    def with_relations(self, **relations: Rows) -> Scope:
        """The same scope with more relations."""
        return replace(self, relations={**self.relations, **relations})

    def numbered(self) -> dict[str, Scalar]:
        """Positional parameters under names: the evaluator takes no others."""
        return {f"parameter_{n}": p for n, p in enumerate(self.positional, 1)}

    def catalog(self, language: options_pb2.LanguageOptionsProto) -> SimpleCatalogProto:
        """The scope as the engine's catalog."""
        catalog = SimpleCatalogProto(name="root")
        catalog.builtin_function_options.language_options.CopyFrom(language)
        folders: dict[tuple[str, ...], SimpleCatalogProto] = {(): catalog}
        for path, name in {**{(name,): name for name in self.relations}, **self.spellings}.items():
            for depth in range(1, len(path)):
                if path[:depth] not in folders:
                    folder = folders[path[: depth - 1]].catalog.add(name=path[depth - 1])
                    folders[path[:depth]] = folder
            table = folders[path[:-1]].table.add(name=path[-1])
            for column in self.relations[name].columns:
                table.column.add(name=column.name, type=column.type, is_writable_column=True)
        for name, variable in self.variables.items():
            catalog.constant.add(name_path=[name], type=variable.type, value=variable.value)
        return catalog


class _Client(WasmClient):
    """The package's client, started from a compiled module and copying memory in one go."""

    def __init__(self, engine: Engine, module: Module) -> None:
        settings = WasiConfig()
        settings.inherit_stderr()
        if zones := get_tzinfo_dir():
            settings.preopen_dir(zones, "/usr/share/zoneinfo")
        self.store = Store(engine)
        self.store.set_wasi(settings)
        linker = Linker(engine)
        linker.define_wasi()
        self.exports = linker.instantiate(self.store, module).exports(self.store)
        self.exports["_initialize"](self.store)
        self.memory = self.exports["memory"]

    def _address(self, pointer: int) -> int:
        base = ctypes.addressof(self.memory.data_ptr().contents)
        return base + (pointer & 0xFFFFFFFF)

    def write_bytes(self, ptr: int, data: bytes) -> None:
        ctypes.memmove(self._address(ptr), data, len(data))

    def read_bytes(self, ptr: int, size: int) -> bytes:
        return ctypes.string_at(self._address(ptr), size)


class GoogleSql:
    """One engine. Calls from several threads take turns."""

    def __init__(self, cache: Path = CACHE) -> None:
        settings = Config()
        settings.shared_memory = True  # the module imports one
        self._engine = Engine(settings)
        self._module = _compiled_module(self._engine, cache)
        self._client = _Client(self._engine, self._module)
        self._lock = threading.RLock()
        self._registered: OrderedDict[tuple[Any, ...], int] = OrderedDict()
        self._language = self._bigquery_language()
        self._options = self._bigquery_options()

    def parse(self, sql: str) -> ASTScriptProto:
        """The syntax tree of a script: one or more statements."""
        request = service.ParseRequest(sql_statement=sql, options=self._language, allow_script=True)
        return self._call("Parse", request, service.ParseResponse).parsed_script

    def analyze(self, script: bytes, start: int, scope: Scope) -> AnyResolvedStatementProto:
        """Resolve the statement that begins at a byte of a script."""
        request = service.AnalyzeRequest(options=self._options_for(scope))
        request.parse_resume_location.input = script.decode()
        request.parse_resume_location.byte_position = start
        with self._lock:
            request.registered_catalog_id = self._register(scope)
            response = self._call("Analyze", request, service.AnalyzeResponse)
        return response.resolved_statement

    def evaluate(self, query: str, scope: Scope) -> Rows:
        """The rows of a query whose tables are named by one identifier each.

        A positional parameter is `@parameter_1` here, and so on.
        """
        named = {**scope.named, **scope.numbered()}
        options = self._options_for(replace(scope, named=named, positional=[]))
        request = service.EvaluateQueryRequest(sql=query, options=options)
        for name, parameter in named.items():
            request.params.add(name=name, value=parameter.value)
        with self._lock:
            request.registered_catalog_id = self._register(scope)
            response = self._call("EvaluateQuery", request, service.EvaluateQueryResponse)
        columns = [Column(column.name, column.type) for column in response.prepared.columns]
        return Rows(columns, response.content)

    def _register(self, scope: Scope) -> int:
        """The engine's number for a scope's catalog, kept while it is in use.

        The engine builds its functions anew for each catalog; with a known one a statement takes
        half the time.
        """
        catalog = scope.catalog(self._language)
        versions = tuple((name, rows.version) for name, rows in scope.relations.items())
        key = (versions, catalog.SerializeToString(deterministic=True))
        if key not in self._registered:
            request = service.RegisterCatalogRequest(simple_catalog=catalog)
            for name, rows in scope.relations.items():
                request.table_content[name].CopyFrom(rows.content)
                request.table_content[name].table_data.SetInParent()
            response = self._call("RegisterCatalog", request, service.RegisterResponse)
            self._registered[key] = response.registered_id
            if len(self._registered) > _KEPT_CATALOGS:
                _, oldest = self._registered.popitem(last=False)
                unregister = service.UnregisterRequest(registered_id=oldest)
                self._call("UnregisterCatalog", unregister, empty_pb2.Empty)
        self._registered.move_to_end(key)
        return self._registered[key]

    def _call(self, method: str, request: Message, response: type[_Response]) -> _Response:
        with self._lock:
            try:
                return self._client.call_grpc_func(
                    f"ZetaSqlLocalService_{method}", request, response
                )
            except ServerError as error:
                text = re.sub(r"^Code: \d+, Message: ", "", error.raw_error or str(error))
                raise SqlError(re.sub(r"\[at (\d+:\d+)\]", r"at [\1]", text)) from None
            except Trap as trap:
                # Nothing inside a stopped instance can be trusted any more.
                self._client = _Client(self._engine, self._module)
                self._registered.clear()
                raise SqlError(f"The evaluator stopped: {trap.message.splitlines()[0]}") from None

    def _bigquery_language(self) -> options_pb2.LanguageOptionsProto:
        """The language as BigQuery speaks it."""
        widest = service.LanguageOptionsRequest(maximum_features=True)
        language = self._call("GetLanguageOptions", widest, options_pb2.LanguageOptionsProto)
        features = set(language.enabled_language_features)
        features |= {public.LanguageFeature.Value(f"FEATURE_{name}") for name in _ADDED_FEATURES}
        features -= {public.LanguageFeature.Value(f"FEATURE_{name}") for name in _REMOVED_FEATURES}
        del language.enabled_language_features[:]
        language.enabled_language_features.extend(sorted(features))
        del language.supported_statement_kinds[:]  # none named: all
        language.product_mode = public.ProductMode.PRODUCT_EXTERNAL
        language.name_resolution_mode = public.NameResolutionMode.NAME_RESOLUTION_DEFAULT
        del language.reserved_keywords[:]
        language.reserved_keywords.append("QUALIFY")
        language.supported_generic_sub_entity_types.append("REPLICA")
        return language

    def _bigquery_options(self) -> options_pb2.AnalyzerOptionsProto:
        request = service.AnalyzerOptionsRequest()
        options = self._call("GetAnalyzerOptions", request, options_pb2.AnalyzerOptionsProto)
        # It points to descriptors that only the package's own layer registers.
        options.ClearField("allowed_hints_and_options")
        options.language_options.CopyFrom(self._language)
        options.default_timezone = "UTC"
        options.error_message_mode = public.ErrorMessageMode.ERROR_MESSAGE_ONE_LINE
        options.rewrite_options.SetInParent()
        rewrites = set(options.enabled_rewrites)
        rewrites |= {public.ResolvedASTRewrite.Value(f"REWRITE_{r}") for r in _ADDED_REWRITES}
        del options.enabled_rewrites[:]
        options.enabled_rewrites.extend(sorted(rewrites))
        return options

    def _options_for(self, scope: Scope) -> options_pb2.AnalyzerOptionsProto:
        if not scope.named and not scope.positional:
            return self._options
        options = options_pb2.AnalyzerOptionsProto()
        options.CopyFrom(self._options)
        for name, parameter in scope.named.items():
            options.query_parameters.add(name=name, type=parameter.type)
        if scope.positional:
            options.parameter_mode = public.ParameterMode.PARAMETER_POSITIONAL
            options.positional_query_parameters.extend(p.type for p in scope.positional)
        return options


@cache
def engine() -> GoogleSql:
    """The one engine of this process: an instance takes some 135 MB."""
    return GoogleSql()


def _compiled_module(engine: Engine, folder: Path) -> Module:
    """The engine's machine code, compiled once per version and kept on disk.

    Compiling takes half a minute, reading the result a tenth of a second. Of processes that begin
    at the same time one compiles, and the others wait for it.
    """
    source = Path(get_wasm_path())
    file = folder / f"{source.stat().st_size}-wasmtime-{version('wasmtime')}.cwasm"
    with leased(folder):
        if file.exists():
            return Module.deserialize_file(engine, str(file))
        module = Module.from_file(engine, str(source))
        folder.mkdir(parents=True, exist_ok=True)
        partial = file.with_suffix(".partial")
        partial.write_bytes(module.serialize())
        partial.replace(file)
    return module
