"""Statements that change rows, carried out as queries for the rows that they touch.

The evaluator's own DML needs primary keys and knows no MERGE. Here the target gets a column with
the number of each row; a query says which numbers are touched and what the new values are; the
other cells stay as they are. So the rows that were affected are counted exactly.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from zetasql.wasi._pb2.zetasql.parser.ast_enums_pb2 import (
    ASTMergeActionEnums,
    ASTMergeWhenClauseEnums,
)

from .errors import ServiceError, invalid_query
from .googlesql import Column, Rows
from .outcome import Outcome
from .syntax import Node, identifiers
from .values import simple_type, type_name

if TYPE_CHECKING:
    from .statements import Statement
    from .warehouse import Table

_ROW = "__row"
_TWICE = "UPDATE/MERGE must match at most one source row for each target row"


@dataclass
class _Changes:
    """What a statement does to its target, collected before anything is done."""

    table: Table
    # The new values by the number of the row: (columns, row of values after the number).
    updated: dict[int, tuple[list[int], list]] = field(default_factory=dict)
    deleted: set[int] = field(default_factory=set)
    inserted: list = field(default_factory=list)

    @property
    def affected(self) -> int:
        return len(self.updated) + len(self.deleted) + len(self.inserted)

    def touch(self, numbers: Iterable[int]) -> None:
        """Refuse to change a row twice."""
        counts = Counter(numbers)
        if any(count > 1 for count in counts.values()) or counts.keys() & (
            self.updated.keys() | self.deleted
        ):
            raise invalid_query(_TWICE)

    def apply(self) -> None:
        """Change the table."""
        made = Rows(self.table.rows.columns)
        for number, row in enumerate(self.table.rows.rows):
            if number in self.deleted:
                continue
            kept = made.content.table_data.row.add()
            kept.CopyFrom(row)
            if number in self.updated:
                places, cells = self.updated[number]
                for place, cell in zip(places, cells, strict=True):
                    kept.cell[place].CopyFrom(cell)
        made.content.table_data.row.extend(self.inserted)
        self.table.replace_rows(made)


def _numbered(rows: Rows, name: str = _ROW) -> Rows:
    """Rows with their numbers in a last column."""
    made = Rows([*rows.columns, Column(name, simple_type("INT64"))])
    for number, row in enumerate(rows.rows):
        numbered = made.content.table_data.row.add()
        numbered.CopyFrom(row)
        numbered.cell.add().int64_value = number
    return made


def _without_numbers(rows: Rows) -> Rows:
    made = Rows(rows.columns[:-1])
    for row in rows.rows:
        made.content.table_data.row.add().cell.extend(row.cell[:-1])
    return made


def _numbers(rows: Rows, place: int = 0) -> list[int]:
    return [row.cell[place].int64_value for row in rows.rows]


def _target(statement: Statement) -> tuple[Table, str]:
    """The table that a statement changes, and what the statement calls it."""
    node = statement.node
    path = identifiers(node.target_path)
    table = statement.script.table_at(path)
    if table.is_view:
        raise invalid_query(f"{statement.script.name_of(path)} is a view and cannot be changed")
    alias = getattr(node, "alias", None)
    return table, alias.identifier.id_string if alias else path[-1].split(".")[-1]


def _places(table: Table, names: Iterable[str]) -> list[int]:
    columns = [described["name"].lower() for described in table.fields]
    return [columns.index(name.lower()) for name in names]


def _cast(expression: str, table: Table, place: int) -> str:
    return f"CAST({expression} AS {type_name(table.rows.columns[place].type)})"


def _finish(statement: Statement, changes: _Changes, word: str) -> Outcome:
    if statement.settings.stores_rows:
        changes.apply()
    target = statement.script.name_of(identifiers(statement.node.target_path))
    return Outcome(word, affected=changes.affected, target=target)


def _insert(statement: Statement) -> Outcome:
    node = statement.node
    statement.analyze()
    table, _ = _target(statement)
    changes = _Changes(table)
    if not statement.settings.stores_rows:
        return _finish(statement, changes, "INSERT")
    if node.column_list:
        places = _places(table, (name.id_string for name in node.column_list.identifiers))
    else:
        places = list(range(len(table.fields)))
    if node.query:
        query = statement.edited(node.query)
    else:
        rows = (_values_row(statement, row, table, places) for row in node.rows.rows)
        query = " UNION ALL ".join(rows)
    given = statement.evaluate_as(query, [table.rows.columns[place].type for place in places])
    changes.inserted = _complete(given, table, places)
    return _finish(statement, changes, "INSERT")


def _values_row(statement: Statement, row: Node, table: Table, places: list[int]) -> str:
    values = []
    for place, value in zip(places, row.values, strict=True):
        default = value.kind == "ASTDefaultLiteral"
        values.append(_cast("NULL" if default else statement.edited(value), table, place))
    return f"SELECT {', '.join(values)}"


def _complete(rows: Rows, table: Table, places: list[int]) -> list:
    """Rows with all columns of the table, in its order."""
    whole = Rows(table.rows.columns)
    for row in rows.rows:
        made = whole.content.table_data.row.add()
        for _ in table.fields:
            made.cell.add()
        for place, cell in zip(places, row.cell, strict=True):
            made.cell[place].CopyFrom(cell)
    return list(whole.rows)


def _assignments(statement: Statement, items: Node, table: Table) -> tuple[list[int], list[str]]:
    """The columns that a SET clause changes, and their new values."""
    names, values = [], []
    for item in items.update_items:
        path = identifiers(item.set_value.path)
        if path[-1].lower() not in {f["name"].lower() for f in table.fields}:
            raise ServiceError("notImplemented", "The stand-in does not update parts of a struct")
        names.append(path[-1])
        value = item.set_value.value
        values.append("NULL" if value.kind == "ASTDefaultLiteral" else statement.edited(value))
    places = _places(table, names)
    return places, [_cast(v, table, place) for v, place in zip(values, places, strict=True)]


def _update(statement: Statement) -> Outcome:
    node = statement.node
    statement.analyze()
    table, alias = _target(statement)
    changes = _Changes(table)
    places, values = _assignments(statement, node.update_item_list, table)
    if statement.settings.stores_rows:
        source = ""
        if node.from_clause:
            source = f", {statement.edited(node.from_clause.table_expression)}"
        found = statement.evaluate(
            f"SELECT {', '.join([f'`{alias}`.{_ROW}', *values])} "
            f"FROM __target AS `{alias}`{source} WHERE {statement.edited(node.where)}",
            __target=_numbered(table.rows),
        )
        _take_updates(changes, found, places)
    return _finish(statement, changes, "UPDATE")


def _take_updates(changes: _Changes, found: Rows, places: list[int]) -> None:
    changes.touch(_numbers(found))
    for row in found.rows:
        changes.updated[row.cell[0].int64_value] = (places, list(row.cell[1:]))


def _delete(statement: Statement) -> Outcome:
    statement.analyze()
    table, alias = _target(statement)
    changes = _Changes(table)
    if statement.settings.stores_rows:
        found = statement.evaluate(
            f"SELECT `{alias}`.{_ROW} FROM __target AS `{alias}` "
            f"WHERE {statement.edited(statement.node.where)}",
            __target=_numbered(table.rows),
        )
        changes.deleted = set(_numbers(found))
    return _finish(statement, changes, "DELETE")


def _truncate(statement: Statement) -> Outcome:
    statement.analyze()
    table, _ = _target(statement)
    changes = _Changes(table, deleted=set(range(len(table.rows))))
    return _finish(statement, changes, "TRUNCATE_TABLE")


def _merge(statement: Statement) -> Outcome:
    statement.analyze()
    table, alias = _target(statement)
    changes = _Changes(table)
    if statement.settings.stores_rows:
        merge = _Merge(statement, table, alias)
        for clause in statement.node.when_clauses.clause_list:
            merge.run(clause, changes)
    return _finish(statement, changes, "MERGE")


class _Merge:
    """A MERGE under way. The source is evaluated once, and pairs of rows are found once."""

    def __init__(self, statement: Statement, table: Table, alias: str) -> None:
        self.statement = statement
        self.table = table
        self.alias = alias
        node = statement.node
        expression = node.table_expression
        source = statement.evaluate(f"SELECT * FROM {statement.edited(expression)}")
        self.source_alias = "__source"
        if expression.alias:
            self.source_alias = expression.alias.identifier.id_string
        elif expression.kind == "ASTTablePathExpression":
            self.source_alias = identifiers(expression.path_expr)[-1].split(".")[-1]
        self.source = _numbered(source, "__source_row")
        self.target = _numbered(table.rows)
        self.condition = statement.edited(node.merge_condition)
        pairs = self._evaluate(f"SELECT `{self.alias}`.{_ROW}, __source_row", "TRUE")
        self.matched_target = set(_numbers(pairs))
        self.matched_source = set(_numbers(pairs, 1))
        # A clause takes what the earlier ones of its kind left.
        self.earlier: dict[int, list[str]] = {}

    def _evaluate(self, select: str, condition: str) -> Rows:
        """A query over the pairs of rows that match."""
        return self.statement.evaluate(
            f"{select} FROM __target AS `{self.alias}` JOIN __source AS `{self.source_alias}` "
            f"ON {self.condition} WHERE {condition}",
            __target=self.target,
            __source=self.source,
        )

    def run(self, clause: Node, changes: _Changes) -> None:
        """Collect what a WHEN clause does."""
        asked = clause.search_condition
        asked = f"({self.statement.edited(asked)})" if asked else "TRUE"
        before = self.earlier.setdefault(clause.match_type, [])
        condition = " AND ".join([asked, *(f"{earlier} IS NOT TRUE" for earlier in before)])
        before.append(asked)
        if clause.match_type == ASTMergeWhenClauseEnums.NOT_MATCHED_BY_TARGET:
            self._insert(clause.action, condition, changes)
            return
        action = clause.action
        places, values = [], []
        if action.action_type == ASTMergeActionEnums.UPDATE:
            places, values = _assignments(self.statement, action.update_item_list, self.table)
        select = f"SELECT {', '.join([f'`{self.alias}`.{_ROW}', *values])}"
        if clause.match_type == ASTMergeWhenClauseEnums.MATCHED:
            found = self._evaluate(select, condition)
        else:
            lonely = _without(self.target, self.matched_target)
            found = self.statement.evaluate(
                f"{select} FROM __lonely AS `{self.alias}` WHERE {condition}", __lonely=lonely
            )
        if action.action_type == ASTMergeActionEnums.DELETE:
            changes.touch(_numbers(found))
            changes.deleted |= set(_numbers(found))
        else:
            _take_updates(changes, found, places)

    def _insert(self, action: Node, condition: str, changes: _Changes) -> None:
        places = list(range(len(self.table.fields)))
        if action.insert_column_list:
            names = (name.id_string for name in action.insert_column_list.identifiers)
            places = _places(self.table, names)
        select = "SELECT *"  # INSERT ROW
        if action.insert_row.values:
            select = _values_row(self.statement, action.insert_row, self.table, places)
        lonely = _without_numbers(_without(self.source, self.matched_source))
        given = self.statement.evaluate_as(
            f"{select} FROM __lonely AS `{self.source_alias}` WHERE {condition}",
            [self.table.rows.columns[place].type for place in places],
            __lonely=lonely,
        )
        changes.inserted += _complete(given, self.table, places)


def _without(rows: Rows, numbers: set[int]) -> Rows:
    """The rows whose number, in their last column, is none of these."""
    return Rows.of(rows.columns, (r for r in rows.rows if r.cell[-1].int64_value not in numbers))


STATEMENTS: dict[str, Callable[[Statement], Outcome]] = {
    "ASTInsertStatement": _insert,
    "ASTUpdateStatement": _update,
    "ASTDeleteStatement": _delete,
    "ASTMergeStatement": _merge,
    "ASTTruncateStatement": _truncate,
}
