"""Statements that define things: tables, views, datasets, and who may read them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from zetasql.wasi._pb2.zetasql.parser.ast_enums_pb2 import (
    ASTCreateStatementEnums,
    ASTDropStatementEnums,
    SchemaObjectKind,
)

from . import rules
from .errors import ServiceError, already_exists, invalid_query, not_found
from .googlesql import Column, Rows
from .outcome import Outcome
from .syntax import Node, identifiers
from .values import EPOCH, to_field
from .warehouse import Dataset, Table, TableName

if TYPE_CHECKING:
    from .statements import Statement

_DAY_MS = 86_400_000


def _create_table(statement: Statement) -> Outcome:
    node = statement.node
    if node.copy_data_source or node.clone_data_source:
        raise ServiceError("notImplemented", "The stand-in does not run CREATE TABLE COPY or CLONE")
    path = identifiers(node.name)
    temporary = node.scope == ASTCreateStatementEnums.TEMPORARY
    kind = "CREATE_TABLE_AS_SELECT" if node.query else "CREATE_TABLE"
    target = None if temporary else statement.script.name_of(path)
    operation = "REPLACE" if node.is_or_replace else "CREATE"
    if target:
        statement.warehouse.dataset(target.project, target.dataset, statement.settings.location)
        if statement.warehouse.has(target) and not node.is_or_replace:
            if node.is_if_not_exists:
                return Outcome(kind, target=target, operation="SKIP")
            raise already_exists("Table", str(target))
        if not statement.warehouse.has(target):
            operation = "CREATE"
    table = Table.empty(_fields(statement))
    options = statement.options(node.options_list)
    rules.check_options("TABLE", options)
    table.properties = _partitioning(statement, node.partition_by, table.fields)
    if node.cluster_by:
        columns = [statement.written(c) for c in node.cluster_by.clustering_expressions]
        table.properties["clustering"] = {"fields": [name.strip("`") for name in columns]}
    rules.check_clustering(table.fields, table.properties)
    _set_table_options(table.properties, options)
    if node.query and statement.settings.stores_rows:
        kinds = [column.type for column in table.rows.columns]
        table.replace_rows(statement.evaluate_as(statement.edited(node.query), kinds))
    if target:
        statement.warehouse.put(target, table)
    else:
        statement.script.temporary[path[0].lower()] = table
    return Outcome(kind, target=target, operation=operation)


def _fields(statement: Statement) -> list[dict[str, Any]]:
    """The schema that a CREATE TABLE gives."""
    node = statement.node
    if node.like_table_name:
        return [
            dict(f) for f in statement.script.table_at(identifiers(node.like_table_name)).fields
        ]
    fields = [_field(definition) for definition in statement.analyze().column_definition_list]
    described = {}
    if node.table_element_list:
        elements = [e for e in node.table_element_list.elements if e.kind == "ASTColumnDefinition"]
        described = {e.name.id_string: statement.options(e.schema.options_list) for e in elements}
    for made in fields:
        options = described.get(made["name"], {})
        rules.check_options("COLUMN", options)
        if options.get("description"):
            made["description"] = options["description"]
    return fields


def _field(definition: Node) -> dict[str, Any]:
    """A column definition as a field of a REST schema."""
    made = to_field(Column(definition.name, definition.type.message))
    if definition.annotations and definition.annotations.not_null:
        made["mode"] = "REQUIRED"
    return made


def _partitioning(
    statement: Statement, node: Node | None, fields: list[dict[str, Any]]
) -> dict[str, Any]:
    """A PARTITION BY clause as the properties of a table."""
    if node is None:
        return {}
    (expression,) = node.partitioning_expressions
    function, arguments = None, [expression]
    if expression.kind == "ASTFunctionCall":
        function = identifiers(expression.function)[-1].lower()
        arguments = expression.arguments
    column = statement.written(arguments[0]).strip("`")
    if function == "range_bucket":
        bounds = [statement.written(bound) for bound in arguments[1].arguments]
        limits = dict(zip(("start", "end", "interval"), bounds, strict=False))
        return {"rangePartitioning": {"field": column, "range": {"interval": "1", **limits}}}
    grain = statement.written(arguments[1]).upper() if len(arguments) > 1 else "DAY"
    if column.upper() in ("_PARTITIONDATE", "_PARTITIONTIME"):
        return {"timePartitioning": {"type": grain}}
    rules.check_partition_function(function, column, fields)
    properties = {"timePartitioning": {"type": grain, "field": column}}
    rules.check_partitioning(fields, properties)
    return properties


def _set_table_options(properties: dict[str, Any], options: dict[str, Any]) -> None:
    """Put a table's options where its REST resource has them."""
    values = dict(options)
    if "partition_expiration_days" in values:
        days = values.pop("partition_expiration_days")
        rules.check_partition_expiration(properties, days)
        partitioning = {**properties.get("timePartitioning", {})}
        partitioning.pop("expirationMs", None)
        if days is not None:
            partitioning["expirationMs"] = str(int(days * _DAY_MS))
        properties["timePartitioning"] = partitioning
    if values.get("expiration_timestamp") is not None:
        moment = values["expiration_timestamp"]
        values["expiration_timestamp"] = str(int((moment - EPOCH).total_seconds() * 1000))
    _set_properties(properties, values, _TABLE_OPTIONS)


def _set_dataset_options(dataset: Dataset, options: dict[str, Any]) -> None:
    values = dict(options)
    values.pop("location", None)
    for days in ("default_table_expiration_days", "default_partition_expiration_days"):
        if values.get(days) is not None:
            values[days] = str(int(values[days] * _DAY_MS))
    _set_properties(dataset.properties, values, _DATASET_OPTIONS)


def _set_properties(
    properties: dict[str, Any], options: dict[str, Any], names: dict[str, str]
) -> None:
    for option, value in options.items():
        name = names.get(option, option)
        if value is None:
            properties.pop(name, None)
        elif option == "labels":
            properties[name] = dict(pair.values() for pair in value)
        else:
            properties[name] = value


_TABLE_OPTIONS = {
    "expiration_timestamp": "expirationTime",
    "friendly_name": "friendlyName",
    "require_partition_filter": "requirePartitionFilter",
}
_DATASET_OPTIONS = {
    "default_partition_expiration_days": "defaultPartitionExpirationMs",
    "default_table_expiration_days": "defaultTableExpirationMs",
    "friendly_name": "friendlyName",
    "max_time_travel_hours": "maxTimeTravelHours",
    "storage_billing_model": "storageBillingModel",
}


def _create_view(statement: Statement) -> Outcome:
    node = statement.node
    target = statement.script.name_of(identifiers(node.name))
    statement.warehouse.dataset(target.project, target.dataset, statement.settings.location)
    if statement.warehouse.has(target) and not node.is_or_replace:
        if node.is_if_not_exists:
            return Outcome("CREATE_VIEW", target=target, operation="SKIP")
        raise already_exists("Table", str(target))
    columns = [Column(c.name, c.column.type.message) for c in statement.output_columns()]
    options = statement.options(node.options_list)
    rules.check_options("VIEW", options)
    view = Table([to_field(c) for c in columns], Rows(columns), statement.written(node.query))
    _set_table_options(view.properties, options)
    statement.warehouse.put(target, view)
    return Outcome("CREATE_VIEW", target=target, operation="CREATE")


def _create_schema(statement: Statement) -> Outcome:
    node = statement.node
    statement.analyze()
    key = _dataset_key(statement, node.name)
    if key in statement.warehouse.datasets and node.is_if_not_exists:
        return Outcome("CREATE_SCHEMA", operation="SKIP")
    options = statement.options(node.options_list)
    rules.check_options("SCHEMA", options)
    dataset = Dataset(options.get("location", statement.settings.location or "US"))
    _set_dataset_options(dataset, options)
    statement.warehouse.create_dataset(*key, dataset)
    return Outcome("CREATE_SCHEMA", operation="CREATE")


def _dataset_key(statement: Statement, path: Node) -> tuple[str, str]:
    parts = ".".join(identifiers(path)).split(".")
    return (statement.settings.project, parts[0]) if len(parts) == 1 else (parts[0], parts[1])


def _drop(statement: Statement) -> Outcome:
    node = statement.node
    statement.analyze()
    kind = SchemaObjectKind.Name(node.schema_object_kind).removeprefix("k").upper()
    if kind == "SCHEMA":
        key = _dataset_key(statement, node.name)
        if key in statement.warehouse.datasets or not node.is_if_exists:
            cascade = node.drop_mode == ASTDropStatementEnums.CASCADE
            statement.warehouse.drop_dataset(*key, cascade)
        return Outcome("DROP_SCHEMA", operation="DROP")
    path = identifiers(node.name)
    if len(path) == 1 and statement.script.temporary.pop(path[0].lower(), None):
        return Outcome("DROP_TABLE", operation="DROP")
    target = statement.script.name_of(path)
    if not statement.warehouse.has(target):
        if node.is_if_exists:
            return Outcome(f"DROP_{kind}", target=target, operation="SKIP")
        location = statement.script.location_of(target.project, target.dataset)
        raise not_found("Table", str(target), location)
    is_view = statement.warehouse.table(target).is_view
    if is_view != (kind == "VIEW"):
        raise invalid_query(
            f"Cannot drop {target} which has type {'VIEW' if is_view else 'TABLE'}. "
            f"An object with type {kind} was expected."
        )
    statement.warehouse.drop(target)
    return Outcome(f"DROP_{kind}", target=target, operation="DROP")


def _alter_table(statement: Statement) -> Outcome:
    node = statement.node
    target = statement.script.name_of(identifiers(node.path))
    word = "VIEW" if node.kind == "ASTAlterViewStatement" else "TABLE"
    if node.is_if_exists and not statement.warehouse.has(target):
        return Outcome(f"ALTER_{word}", target=target, operation="SKIP")
    definitions = {d.name: d for d in statement.analyze().find("ResolvedColumnDefinition")}
    table = statement.warehouse.table(target, statement.settings.location)
    for action in node.action_list.actions:
        if action.kind == "ASTRenameToClause":
            statement.warehouse.drop(target)
            renamed = TableName(target.project, target.dataset, identifiers(action.new_name)[-1])
            statement.warehouse.put(renamed, table)
        elif action.kind in _TABLE_ACTIONS:
            _TABLE_ACTIONS[action.kind](statement, action, table, definitions)
        else:
            raise ServiceError("notImplemented", f"The stand-in does not run {action.kind}")
    return Outcome(f"ALTER_{word}", target=target, operation="ALTER")


def _add_column(
    statement: Statement, action: Node, table: Table, definitions: dict[str, Node]
) -> None:
    name = action.column_definition.name.id_string
    if any(f["name"].lower() == name.lower() for f in table.fields):
        if action.is_if_not_exists:
            return
        raise invalid_query(f"Column already exists: {name}")
    made = _field(definitions[name])
    if made["mode"] == "REQUIRED":
        raise invalid_query(f"Cannot add REQUIRED column {name} to an existing table")
    options = statement.options(action.column_definition.schema.options_list)
    rules.check_options("COLUMN", options)
    if options.get("description"):
        made["description"] = options["description"]
    table.replace_fields([*table.fields, made])


def _drop_column(_: Statement, action: Node, table: Table, __: dict[str, Node]) -> None:
    name = action.column_name.id_string
    rules.check_column_is_free(name, table.properties)
    table.replace_fields([f for f in table.fields if f["name"].lower() != name.lower()])


def _set_options(statement: Statement, action: Node, table: Table, _: dict[str, Node]) -> None:
    options = statement.options(action.options_list)
    rules.check_options("VIEW" if table.is_view else "TABLE", options)
    _set_table_options(table.properties, options)


def _set_column_options(
    statement: Statement, action: Node, table: Table, _: dict[str, Node]
) -> None:
    options = statement.options(action.options_list)
    rules.check_options("COLUMN", options)
    name = action.column_name.id_string.lower()
    table.fields = [{**f, **options} if f["name"].lower() == name else f for f in table.fields]


def _drop_not_null(_: Statement, action: Node, table: Table, __: dict[str, Node]) -> None:
    name = action.column_name.id_string.lower()
    table.fields = [
        {**f, "mode": "NULLABLE"} if f["name"].lower() == name else f for f in table.fields
    ]


_TABLE_ACTIONS = {
    "ASTAddColumnAction": _add_column,
    "ASTDropColumnAction": _drop_column,
    "ASTSetOptionsAction": _set_options,
    "ASTAlterColumnOptionsAction": _set_column_options,
    "ASTAlterColumnDropNotNullAction": _drop_not_null,
}


def _alter_schema(statement: Statement) -> Outcome:
    node = statement.node
    statement.analyze()
    dataset = statement.warehouse.dataset(*_dataset_key(statement, node.path))
    for action in node.action_list.actions:
        options = statement.options(getattr(action, "options_list", None))
        if action.kind == "ASTAddSubEntityAction":
            rules.check_options("REPLICA", options)
            dataset.replicas.add(options.get("location", action.name.id_string))
        elif action.kind == "ASTDropSubEntityAction":
            dataset.replicas.discard(action.name.id_string)
        else:
            rules.check_options("SCHEMA", options)
            _set_dataset_options(dataset, options)
    return Outcome("ALTER_SCHEMA", operation="ALTER")


def _grant(statement: Statement) -> Outcome:
    node = statement.node
    statement.analyze()
    is_schema = node.target_type_parts[-1].id_string.upper() in ("SCHEMA", "DATASET")
    if is_schema:
        access = statement.warehouse.dataset(*_dataset_key(statement, node.target_path)).access
    else:
        access = statement.script.table_at(identifiers(node.target_path)).access
    members = {statement.written(member)[1:-1] for member in node.grantee_list.grantee_list}
    granted = node.kind == "ASTGrantStatement"
    for privilege in node.privileges.privileges:
        held = access.setdefault(privilege.privilege_action.id_string, set())
        access[privilege.privilege_action.id_string] = held | members if granted else held - members
    return Outcome("GRANT" if granted else "REVOKE")


STATEMENTS: dict[str, Callable[[Statement], Outcome]] = {
    "ASTCreateTableStatement": _create_table,
    "ASTCreateViewStatement": _create_view,
    "ASTCreateSchemaStatement": _create_schema,
    "ASTDropStatement": _drop,
    "ASTAlterTableStatement": _alter_table,
    "ASTAlterViewStatement": _alter_table,
    "ASTAlterSchemaStatement": _alter_schema,
    "ASTGrantStatement": _grant,
    "ASTRevokeStatement": _grant,
}
