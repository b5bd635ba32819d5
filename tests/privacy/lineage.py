"""Where the values of a column come from, read off the compiled SQL of the models.

A value flows through functions, branches of a case and unions, and by a join into what a list of
constants has for it. A predicate, a count, a rank says something about a value and does not pass it
on; a hash passes on a pseudonym. What cannot be read is an error: a gate that does not know stays
shut.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import sqlglot
from sqlglot import exp


class UnknownLineageError(Exception):
    """SQL whose lineage cannot be told."""


@dataclass(frozen=True, order=True, slots=True)
class Flow:
    """A column of bronze, as `table.column` or `table.column.field`, and the way it came.

    `is_hashed`: only a hash of it comes through. `passed`: the models that publish by labels, which
    it came through.
    """

    leaf: str
    is_hashed: bool = False
    passed: frozenset[str] = frozenset()


Flows = frozenset[Flow]
# A column, or a list of the fields of a document, one after the other.
Value = Flows | tuple[Flows, ...]
Columns = Mapping[str, Value]

NOTHING: Flows = frozenset()
# What json_each returns of a document.
_ENTRY = ("key", "value", "type")
# They say something about their arguments, and return none of them.
_ABOUT = (
    exp.Predicate,
    exp.Connector,
    exp.Not,
    exp.Count,
    exp.CountIf,
    exp.RowNumber,
    exp.Rank,
    exp.DenseRank,
    exp.LogicalOr,
    exp.LogicalAnd,
    exp.Length,
    exp.IsNan,
)
_HASHES = (exp.SHA2, exp.SHA, exp.MD5)


def flows_of(value: Value) -> Flows:
    """All that flows into a value."""
    return frozenset().union(*value) if isinstance(value, tuple) else value


def columns_of(sql: str, tables: Mapping[str, Columns]) -> dict[str, Value]:
    """The columns that a query returns. `tables` are those it may read, by name in lower case.

    Raises UnknownLineageError where a table, a column or a clause is not known.
    """
    return _Query(tables).columns(sqlglot.parse_one(sql, read="duckdb"))


@dataclass(frozen=True, slots=True)
class _Query:
    """A query with what it sees: tables and CTEs by name, and columns of the queries around it."""

    tables: Mapping[str, Columns]
    around: tuple[Mapping[str, Columns], ...] = ()

    def columns(self, query: exp.Expression) -> dict[str, Value]:
        if isinstance(query, exp.Subquery):
            return self.columns(query.this)
        scope = self
        if with_ := query.args.get("with_"):
            for cte in with_.expressions:
                found = scope.columns(cte.this)
                scope = replace(scope, tables={**scope.tables, cte.alias.lower(): found})
        if isinstance(query, exp.SetOperation):
            left, right = scope.columns(query.left), scope.columns(query.right)
            if len(left) != len(right):
                raise UnknownLineageError("sides of a union differ in width")
            pairs = zip(left.items(), right.values(), strict=True)
            return {name: flows_of(a) | flows_of(b) for (name, a), b in pairs}
        if not isinstance(query, exp.Select):
            raise UnknownLineageError(f"{type(query).__name__} is no query")
        return scope._selected(query)

    def _selected(self, select: exp.Select) -> dict[str, Value]:
        sources: dict[str, Columns] = {}
        inside = replace(self, around=(sources, *self.around))
        from_ = select.args.get("from_")
        joined = [join.this for join in select.args.get("joins") or []]
        for table in [*([from_.this] if from_ else []), *joined]:
            name, columns = inside._source(table)
            sources[name] = columns
        for lateral in select.args.get("laterals") or []:
            name, columns = inside._source(lateral)
            sources[name] = columns
        for join in select.args.get("joins") or []:
            inside._looked_up(join)
        found: dict[str, Value] = {}
        for at, projection in enumerate(select.expressions):
            star = projection.this if isinstance(projection, exp.Column) else projection
            if isinstance(star, exp.Star):
                found |= inside._all(star, projection)
            else:
                name = projection.alias_or_name.lower() or f"column {at}"
                found[name] = inside._value(projection)
        return found

    def _looked_up(self, join: exp.Join) -> None:
        """What a list of constants gives for a value says that value: its columns are of it."""
        sources, name = self.around[0], join.this.alias_or_name.lower()
        if any(map(flows_of, sources[name].values())):
            return
        on = join.args.get("on")
        keys = on.find_all(exp.Column) if on else []
        flows = NOTHING.union(*(flows_of(self._value(key)) for key in keys))
        if flows:
            sources[name] = dict.fromkeys(sources[name], flows)

    def _all(self, star: exp.Star, projection: exp.Expression) -> dict[str, Value]:
        sources = self.around[0]
        wanted = [projection.table.lower()] if isinstance(projection, exp.Column) else [*sources]
        left_out = {column.name.lower() for column in star.args.get("except_") or []}
        found: dict[str, Value] = {}
        for source in wanted:
            if source not in sources:
                raise UnknownLineageError(f"{source}.*: no such source")
            for name, value in sources[source].items():
                if name not in left_out:
                    found.setdefault(name, value)
        for changed in star.args.get("replace") or []:
            found[changed.alias.lower()] = self._value(changed)
        return found

    def _source(self, table: exp.Expression) -> tuple[str, Columns]:
        name = table.alias_or_name.lower()
        if isinstance(table, exp.Subquery):
            return name, self.columns(table.this)
        if isinstance(table, exp.Lateral) and isinstance(table.this, exp.Subquery):
            return name, self.columns(table.this.this)
        alias = table.args.get("alias")
        names = [column.name.lower() for column in alias.columns] if alias else []
        if isinstance(table, exp.Values):
            return name, dict.fromkeys(names, NOTHING)
        if isinstance(table, exp.Unnest):
            held = NOTHING.union(*(flows_of(self._value(part)) for part in table.expressions))
            return name, dict.fromkeys(names or [name], held)
        if isinstance(table, exp.Table):
            known = self.tables.get(_path_of(table))
            if known is not None:
                return name, known
            if isinstance(table.this, exp.Func):  # its rows are of what it is given
                given = table.this.expressions or table.this.iter_expressions()
                held = NOTHING.union(*(flows_of(self._value(argument)) for argument in given))
                return name, dict.fromkeys(names or _ENTRY, held)
        raise UnknownLineageError(f"{table.sql(dialect='duckdb')[:80]}: no such table")

    def _value(self, value: exp.Expression) -> Value:
        if isinstance(value, exp.Column):
            return self._column(value)
        if isinstance(value, exp.Bracket):
            return self._item(value)
        if isinstance(value, exp.JSONExtractScalar) and isinstance(value.expression, exp.Array):
            document = flows_of(self._value(value.this))
            fields = [path.name.removeprefix("$.") for path in value.expression.expressions]
            return tuple(
                frozenset(replace(flow, leaf=f"{flow.leaf}.{field}") for flow in document)
                for field in fields
            )
        if isinstance(value, exp.Alias | exp.Paren):
            return self._value(value.this)
        if isinstance(value, exp.Subquery | exp.Select | exp.SetOperation):
            return NOTHING.union(*map(flows_of, self.columns(value).values()))
        flows = NOTHING.union(*(flows_of(self._value(part)) for part in _returned(value)))
        if isinstance(value, _HASHES):
            return frozenset(replace(flow, is_hashed=True) for flow in flows)
        return flows

    def _item(self, bracket: exp.Bracket) -> Value:
        held = self._value(bracket.this)
        (at,) = bracket.expressions
        if isinstance(held, tuple) and isinstance(at, exp.Literal) and not at.is_string:
            return held[int(at.this)]
        return flows_of(held)

    def _column(self, column: exp.Column) -> Value:
        name, table = column.name.lower(), column.table.lower()
        for sources in self.around:
            if table:
                if table in sources:
                    if name not in sources[table]:
                        raise UnknownLineageError(f"{table}.{name}: no such column")
                    return sources[table][name]
            else:
                found = [columns[name] for columns in sources.values() if name in columns]
                if found:
                    return found[0] if len(found) == 1 else NOTHING.union(*map(flows_of, found))
        raise UnknownLineageError(f"{table}.{name}: no such column")


def _returned(value: exp.Expression) -> list[exp.Expression]:
    """The parts of an expression of which something is in what it returns."""
    if isinstance(value, _ABOUT):
        return []
    if isinstance(value, exp.Window | exp.Filter | exp.WithinGroup):
        return [value.this]
    if isinstance(value, exp.Case):
        parts = [branch.args["true"] for branch in value.args["ifs"]]
        return [*parts, *filter(None, [value.args.get("default")])]
    if isinstance(value, exp.If):
        return [value.args["true"], *filter(None, [value.args.get("false")])]
    return list(value.iter_expressions())


def _path_of(table: exp.Table) -> str:
    """What a table is known by: its name without the database, or the file pattern that is read."""
    if isinstance(table.this, exp.Func):
        return table.this.expressions[0].name if table.this.expressions else table.this.name
    return ".".join(part.name.lower() for part in table.parts[-2:])
