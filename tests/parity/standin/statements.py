"""Running the text of a query job: one statement, or a script of several."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from zetasql.wasi._pb2.zetasql.public.type_pb2 import TypeProto
from zetasql.wasi._pb2.zetasql.public.value_pb2 import ValueProto

from . import ddl, dml, rules
from .errors import ServiceError, invalid_query
from .googlesql import Column, GoogleSql, Rows, Scalar, Scope, SqlError
from .information_schema import information_schema
from .outcome import Outcome
from .syntax import Node, Text, identifiers
from .values import decode_rows, type_name
from .warehouse import Table, TableName, Warehouse


@dataclass
class Count:
    """How many statements GoogleSQL analyzed, and how many of them it refused."""

    analyzed: int = 0
    refused: int = 0


@dataclass(frozen=True)
class Settings:
    """What a statement runs under, beside its text."""

    project: str
    location: str | None = None
    default_dataset: tuple[str, str] | None = None
    user: str = "stand-in@example.com"
    named: dict[str, Scalar] = field(default_factory=dict)
    positional: list[Scalar] = field(default_factory=list)
    stores_rows: bool = True


class Script:
    """A script under way: its variables, its temporary tables and its transaction."""

    def __init__(
        self, text: str, warehouse: Warehouse, engine: GoogleSql, settings: Settings, count: Count
    ) -> None:
        self.text = text.encode()
        self.warehouse = warehouse
        self.engine = engine
        self.settings = settings
        self.count = count
        self.variables: dict[str, Scalar] = {}
        self.temporary: dict[str, Table] = {}
        self.referenced: set[TableName] = set()
        self._saved: dict[Any, Any] | None = None

    def run(self, dry_run: bool = False) -> Outcome:
        """Run all statements. A transaction that is still open at the end is rolled back."""
        try:
            tree = self.engine.parse(self.text.decode())
        except SqlError as error:
            self.count.analyzed += 1
            self.count.refused += 1
            raise invalid_query(str(error)) from None
        nodes = [Node(statement) for statement in tree.statement_list_node.statement_list]
        if dry_run:
            return Statement(nodes[0], self).check() if len(nodes) == 1 else Outcome("SCRIPT")
        try:
            outcomes = [Statement(node, self).run() for node in nodes]
        finally:
            self.roll_back()
        if len(outcomes) == 1:
            return outcomes[0]
        rows = [outcome.rows for outcome in outcomes if outcome.rows is not None]
        return Outcome("SCRIPT", rows[-1] if rows else None)

    def begin(self) -> None:
        """Begin a transaction."""
        if self._saved is not None:
            raise invalid_query("Transaction is already in progress")
        self._saved = self.warehouse.snapshot()

    def commit(self) -> None:
        """Keep what the transaction did."""
        if self._saved is None:
            raise invalid_query("No transaction is in progress")
        self._saved = None

    def roll_back(self) -> None:
        """Undo what the transaction did, if there is one."""
        if self._saved is not None:
            self.warehouse.datasets, self._saved = self._saved, None

    def name_of(self, path: Sequence[str]) -> TableName:
        """The table that a path means."""
        parts = ".".join(path).split(".")
        if len(parts) == 1 and self.settings.default_dataset:
            return TableName(*self.settings.default_dataset, parts[0])
        if len(parts) == 1:
            raise invalid_query(
                f'Table "{parts[0]}" must be qualified with a dataset (e.g. dataset.table).'
            )
        return TableName(*([self.settings.project] if len(parts) == 2 else []), *parts)

    def location_of(self, project: str, dataset: str) -> str:
        """Where the job runs: where it was told to, else where the dataset is."""
        held = self.warehouse.datasets.get((project, dataset))
        return self.settings.location or (held.location if held else "US")

    def table_at(self, path: Sequence[str]) -> Table:
        """The table, view or temporary table at a path."""
        if len(path) == 1 and path[0].lower() in self.temporary:
            return self.temporary[path[0].lower()]
        name = self.name_of(path)
        table = self.warehouse.table(name, self.location_of(name.project, name.dataset))
        self.referenced.add(name)
        return table

    def rows_of(self, table: Table) -> Rows:
        """The rows of a table, or those that a view's query gives now."""
        if not table.is_view:
            return table.rows
        settings = replace(self.settings, named={}, positional=[])
        inner = Script(table.query, self.warehouse, self.engine, settings, Count())
        tree = self.engine.parse(table.query)
        query = Statement(Node(tree.statement_list_node.statement_list[0]), inner)
        made_from = tuple(rows.version for rows in query.scope.relations.values())
        if table.made_from != made_from:
            table.rows = Rows(table.rows.columns, query.evaluate(query.edited(query.node)).content)
            table.made_from = made_from
        self.referenced |= inner.referenced
        return table.rows


class Statement:
    """One statement of a script."""

    def __init__(self, node: Node, script: Script) -> None:
        self.node = node
        self.script = script
        self.warehouse = script.warehouse
        self.settings = script.settings
        self.text = Text(script.text, self._engine_edits())

    def run(self) -> Outcome:
        """Do what the statement says. What GoogleSQL refuses is refused in its words."""
        if self.node.kind in _SCRIPTING:
            return _SCRIPTING[self.node.kind](self)
        if self.node.kind not in _STATEMENTS:
            self.analyze()
            raise ServiceError("notImplemented", f"The stand-in does not run {self.node.kind}")
        return _STATEMENTS[self.node.kind](self)

    def check(self) -> Outcome:
        """Only analyze the statement."""
        if self.node.kind == "ASTQueryStatement":
            columns = [Column(c.name, c.column.type.message) for c in self.output_columns()]
            return Outcome("SELECT", Rows(result_columns(columns)))
        self.analyze()
        return Outcome(self.node.kind.removeprefix("AST").removesuffix("Statement").upper())

    def analyze(self) -> Node:
        """The statement as it is written, as GoogleSQL's analyzer understands it."""
        return self._resolved

    @cached_property
    def _resolved(self) -> Node:
        scope, start = self.scope, self.node.span[0]
        self.script.count.analyzed += 1
        try:
            return Node(self.script.engine.analyze(self.script.text, start, scope))
        except SqlError as error:
            self.script.count.refused += 1
            raise invalid_query(str(error)) from None

    def output_columns(self) -> list[Node]:
        """The columns that the statement's query gives."""
        return self.analyze().output_column_list

    @cached_property
    def scope(self) -> Scope:
        """All that the statement names. Its text is edited to the names that it has there."""
        scope = Scope(
            variables=self.script.variables,
            named=self.settings.named,
            positional=self.settings.positional,
        )
        for path, alias in self._table_paths():
            spelling = identifiers(path)
            rows = self._relation(spelling)
            if rows is None:
                continue
            flat = ".".join(spelling)
            scope.relations[flat] = rows
            scope.spellings[spelling] = flat
            self.text.edits[path.span] = f"`{flat}`" + (f" AS `{alias}`" if alias else "")
        return scope

    def _table_paths(self) -> list[tuple[Node, str | None]]:
        """Paths that stand for tables, each with the alias it has when it is renamed."""
        found = []
        for table in self.node.find("ASTTablePathExpression"):
            if table.path_expr:
                alias = None if table.alias else ".".join(identifiers(table.path_expr))
                found.append((table.path_expr, alias and alias.split(".")[-1]))
        own = _OWN_PATHS.get(self.node.kind)
        return [*found, (getattr(self.node, own), None)] if own else found

    def _relation(self, spelling: tuple[str, ...]) -> Rows | None:
        """The rows at a path. None where it names no table: a common table, or a row's array."""
        parts = ".".join(spelling).split(".")
        view = information_schema(self.warehouse, self.settings.project, parts)
        if view is not None:
            return view
        if len(parts) == 1 and parts[0].lower() in self._common_tables:
            return None
        if parts[0].lower() in self._row_names and len(spelling) > 1:
            name = self.script.name_of(spelling[:3])
            if not self.warehouse.has(name):
                return None
        return self.script.rows_of(self.script.table_at(spelling))

    @cached_property
    def _common_tables(self) -> set[str]:
        return {query.alias.id_string.lower() for query in self.node.find("ASTAliasedQuery")}

    @cached_property
    def _row_names(self) -> set[str]:
        """What rows are called inside the statement."""
        aliases = {a.identifier.id_string.lower() for a in self.node.find("ASTAlias")}
        tables = self.node.find("ASTTablePathExpression")
        paths = [identifiers(table.path_expr) for table in tables if table.path_expr]
        return aliases | {path[-1].split(".")[-1].lower() for path in paths}

    def _engine_edits(self) -> dict[tuple[int, int], str]:
        """What stands in for functions and parameters that the evaluator lacks."""
        edits = {}
        for call in self.node.find("ASTFunctionCall"):
            name = ".".join(identifiers(call.function)).lower()
            if name == "session_user":
                edits[call.span] = repr(self.settings.user)
            if name == "approx_count_distinct":
                edits[call.function.span[0], call.arguments[0].span[0]] = "count(distinct "
        for parameter in self.node.find("ASTParameterExpr"):
            if parameter.position:
                edits[parameter.span] = f"@parameter_{parameter.position}"
        return edits

    def written(self, node: Node) -> str:
        """A part of the statement as it is written."""
        return self.text.written(node)

    def edited(self, node: Node) -> str:
        """A part of the statement under the names of its scope, which makes the edits."""
        assert self.scope
        return self.text.edited(node)

    def evaluate(self, query: str, **relations: Rows) -> Rows:
        """The rows of a query in the statement's scope, with more relations if there are any."""
        try:
            return self.script.engine.evaluate(query, self.scope.with_relations(**relations))
        except SqlError as error:
            raise invalid_query(str(error)) from None

    def evaluate_as(self, query: str, kinds: list[TypeProto], **relations: Rows) -> Rows:
        """The rows of a query in the types of the columns they go to: literals may have others."""
        rows = self.evaluate(query, **relations)
        if [column.type for column in rows.columns] == kinds:
            return rows
        given = Rows([Column(f"c{n}", c.type) for n, c in enumerate(rows.columns)], rows.content)
        casts = []
        for place, kind in enumerate(kinds):
            # A bare NULL or [] comes as an INT64, which not every type can be cast from.
            bare = all(_is_bare(row.cell[place]) for row in rows.rows)
            casts.append(f"CAST({'NULL' if bare else f'c{place}'} AS {type_name(kind)})")
        return self.evaluate(f"SELECT {', '.join(casts)} FROM __given", __given=given)

    def options(self, node: Node | None) -> dict[str, Any]:
        """The values of an OPTIONS list."""
        if node is None or not node.options_entries:
            return {}
        entries = {entry.name.id_string.lower(): entry.value for entry in node.options_entries}
        values = (f"{self.edited(value)} AS `{name}`" for name, value in entries.items())
        return decode_rows(self.evaluate(f"SELECT {', '.join(values)}"))[0]


def _is_bare(cell: ValueProto) -> bool:
    """Whether a value is null or an empty array."""
    held = cell.WhichOneof("value")
    return held is None or (held == "array_value" and not cell.array_value.element)


def result_columns(columns: list[Column]) -> list[Column]:
    """The columns of a result under the names BigQuery gives them."""
    unnamed = 0
    named = []
    for column in columns:
        if not column.name or column.name.startswith("$"):
            column = Column(f"f{unnamed}_", column.type)  # noqa: PLW2901
            unnamed += 1
        named.append(column)
    names = [column.name.lower() for column in named]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise invalid_query(
            "Duplicate column names in the result are not supported when a destination table "
            f"is present. Found duplicate(s): {', '.join(twice)}"
        )
    return named


def _select(statement: Statement) -> Outcome:
    """Evaluating a query analyzes it too; as it is written only to tell what is wrong with it.

    One that ends in LIMIT 0 is only analyzed: the evaluator would make all rows and drop them.
    """
    limit = statement.node.query.limit_offset
    if limit and statement.written(limit).lower().split() == ["limit", "0"]:
        return statement.check()
    try:
        rows = statement.evaluate(statement.edited(statement.node))
    except ServiceError:
        statement.analyze()
        raise
    statement.script.count.analyzed += 1
    result = Rows(result_columns(rows.columns), rows.content)
    rules.check_arrays(result)
    return Outcome("SELECT", result)


def _declare(statement: Statement) -> Outcome:
    node, scope = statement.node, statement.scope
    value = statement.edited(node.default_value) if node.default_value else "NULL"
    if node.type:
        value = f"CAST({value} AS {statement.written(node.type)})"
    made = _scalar(statement, value)
    for name in node.variable_list.identifier_list:
        scope.variables[name.id_string] = made
    return Outcome("DECLARE")


def _set(statement: Statement) -> Outcome:
    name = statement.node.variable.id_string
    _assign(statement, name, _scalar(statement, statement.edited(statement.node.expression)))
    return Outcome("SET")


def _set_several(statement: Statement) -> Outcome:
    node = statement.node
    names = [name.id_string for name in node.variables.identifier_list]
    whole = _scalar(statement, statement.edited(node.struct_expression))
    parts = zip(whole.type.struct_type.field, whole.value.struct_value.field, strict=True)
    for name, (part, value) in zip(names, parts, strict=True):
        _assign(statement, name, Scalar(part.field_type, value))
    return Outcome("SET")


def _scalar(statement: Statement, expression: str) -> Scalar:
    statement.script.count.analyzed += 1
    rows = statement.evaluate(f"SELECT {expression} AS value")
    return Scalar(rows.columns[0].type, rows.rows[0].cell[0])


def _assign(statement: Statement, name: str, value: Scalar) -> None:
    variables = statement.script.variables
    declared = {known.lower(): known for known in variables}.get(name.lower())
    if declared is None:
        raise invalid_query(f"Undeclared variable: {name}")
    kind = variables[declared].type
    variables[declared] = Scalar(kind, value.value)


def _transaction(change: Callable[[Script], None], word: str) -> Callable[[Statement], Outcome]:
    def run(statement: Statement) -> Outcome:
        change(statement.script)
        return Outcome(word)

    return run


def _row_access_policy(statement: Statement) -> Outcome:
    statement.analyze()
    created = statement.node.kind.startswith("ASTCreate")
    return Outcome(f"{'CREATE' if created else 'DROP'}_ROW_ACCESS_POLICY")


# Where a statement names the table that it is about.
_OWN_PATHS = {
    "ASTAlterTableStatement": "path",
    "ASTAlterViewStatement": "path",
    "ASTCreateRowAccessPolicyStatement": "target_path",
    "ASTDeleteStatement": "target_path",
    "ASTDropAllRowAccessPoliciesStatement": "table_name",
    "ASTDropRowAccessPolicyStatement": "table_name",
    "ASTInsertStatement": "target_path",
    "ASTMergeStatement": "target_path",
    "ASTTruncateStatement": "target_path",
    "ASTUpdateStatement": "target_path",
}
_SCRIPTING: dict[str, Callable[[Statement], Outcome]] = {
    "ASTVariableDeclaration": _declare,
    "ASTSingleAssignment": _set,
    "ASTAssignmentFromStruct": _set_several,
    "ASTBeginStatement": _transaction(Script.begin, "BEGIN_TRANSACTION"),
    "ASTCommitStatement": _transaction(Script.commit, "COMMIT_TRANSACTION"),
    "ASTRollbackStatement": _transaction(Script.roll_back, "ROLLBACK_TRANSACTION"),
}
_STATEMENTS: dict[str, Callable[[Statement], Outcome]] = {
    "ASTQueryStatement": _select,
    "ASTCreateRowAccessPolicyStatement": _row_access_policy,
    "ASTDropRowAccessPolicyStatement": _row_access_policy,
    "ASTDropAllRowAccessPoliciesStatement": _row_access_policy,
    **ddl.STATEMENTS,
    **dml.STATEMENTS,
}
