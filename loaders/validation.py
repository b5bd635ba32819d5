"""The SQL that turns JSON documents into typed rows, or into refusals with a code and a pointer.

One statement per contract and mapping, run by DuckDB over whole blocks. The checks stand in the
order in which a person would want to hear of them; the first that fails names the refusal.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

from loaders.contracts import Column, Contract
from loaders.home import quote
from loaders.mapping import Mapping

MAX_RECORD_BYTES = 8 << 20
MAX_UNFOLD = 100_000
OLDEST = "1990-01-01"
FUTURE_DAYS = 1

_EPOCHS = {"epoch_s": 1_000_000, "epoch_ms": 1_000, "epoch_us": 1}
_OFFSET = r"(Z|[+-]\d\d(:?\d\d)?)$"


@dataclass(frozen=True, slots=True)
class Validation:
    """Statements over a relation `block(line_number, doc)`.

    `rows` yields `line_number`, `part` (1 unless the record was unfolded), `refusal` (code, space,
    pointer; null where the row is accepted), `event_key`, every sent column typed, `payload_hash`,
    and, where it `derives_key`, the `fingerprint` that keys are derived from; it then also reads
    `seen(fingerprint, ordinal)`. Where it `reorders`, the rows are not in the order of the block.
    """

    rows: str
    derives_key: bool
    reorders: bool


def build_validation(
    contract: Contract, mapping: Mapping, vocabulary: dict[str, dict[str, str]]
) -> Validation:
    """Generate the statements. `vocabulary` is {vocabulary: {spelling: value}}."""
    return Validation(
        rows=_Builder(contract, mapping, vocabulary).rows(),
        derives_key=mapping.event_id_from is not None,
        reorders=mapping.event_id_from is not None or mapping.rows is not None,
    )


class _Builder:
    def __init__(
        self, contract: Contract, mapping: Mapping, vocabulary: dict[str, dict[str, str]]
    ) -> None:
        self.contract, self.mapping, self.vocabulary = contract, mapping, vocabulary
        self.columns = contract.sent_columns
        self.never = [c for c in contract.columns if c.privacy == "never"]
        self.fields: list[str] = []
        for column in (*self.columns, *self.never):
            self.fields += [f for f in self._sources(column) if f not in self.fields]
        for extra in (*(mapping.event_id_from or ()), *filter(None, [mapping.rows])):
            if extra not in self.fields:
                self.fields.append(extra)

    def rows(self) -> str:
        """The whole statement."""
        structure = quote(json.dumps(dict.fromkeys(self.fields, "VARCHAR")))
        sent = ",\n".join(f"{self._value(c)} as {c.name}_sent" for c in self.columns)
        typed = ",\n".join(f"{self._typed(c)} as {c.name}" for c in self.columns)
        checks = "\n".join(f"when {condition} then {quote(v)}" for condition, v in self._checks())
        hashed = ", ".join(
            f"{quote(c.name + '=')} || {_canonical(c)}"
            for c in self.columns
            if c.name not in ("producer", "sequence")
        )
        return f"""
        with readable as (
            select
                line_number,
                strlen(doc) as size,
                case
                    when starts_with(ltrim(doc, ' \t\r\n'), '{{') and json_valid(doc) then doc
                end as doc
            from block
        ), parsed as materialized (
            select
                *,
                from_json(doc, {structure}) as texts,
                array_to_string(json_keys(doc), chr(31)) as names
            from readable
        ), shapes as (
            {self._shapes()}
        ), unfolded as (
            {self._unfolded()}
        ), identified as (
            {self._identified()}
        ), sent as (
            select
                line_number, part, size, doc, unfold_error, fingerprint,
                undeclared, has_repeats, is_forbidden,
                {sent}
            from identified
            left join shapes using (names)
        ), worded as (
            select *, {self._words()}, {self._nested()} as nested from sent
        ), typed as (
            select
                line_number, part, size, doc, unfold_error, fingerprint,
                undeclared, has_repeats, is_forbidden, nested,
                {", ".join(f"{c.name}_sent" for c in self.columns)},
                {typed}
            from worded
        )
        select
            line_number,
            part,
            case {checks} end as refusal,
            left({self.contract.key}_sent, 256) as event_key,
            fingerprint,
            {", ".join(c.name for c in self.columns)},
            sha256(concat_ws(chr(31), {hashed})) as payload_hash
        from typed
        """

    def _shapes(self) -> str:
        """What is to be said of each list of field names: a file has few, however many records."""
        known = ", ".join(quote(f) for f in self.fields)
        never = ", ".join(quote(f) for c in self.never for f in self._sources(c))
        return f"""
            select
                names,
                list_filter(fields, lambda f: not list_contains([{known}], f)) as undeclared,
                len(list_distinct(fields)) != len(fields) as has_repeats,
                {f"list_has_any([{never}], fields)" if never else "false"} as is_forbidden
            from (
                select distinct
                    names,
                    case when names = '' then [] else string_split(names, chr(31)) end as fields
                from parsed
                where names is not null
            )
        """

    def _sources(self, column: Column) -> tuple[str, ...]:
        return self.mapping.sources_of(column)

    def _position(self, field: str) -> int:
        return self.fields.index(field) + 1

    def _value(self, column: Column) -> str:
        if column.name in self.mapping.constants:
            return quote(self.mapping.constants[column.name])
        if column.name == self.contract.key and self.mapping.event_id_from is not None:
            return "derived_id"
        texts = [_text(f) for f in self._sources(column)]
        value = f"coalesce({', '.join(texts)})" if len(texts) > 1 else texts[0]
        if column.name == self.contract.key and self.mapping.rows:
            value = f"case when part > 1 then {value} || '#' || part else {value} end"
        words = self.mapping.values.get(column.name, {})
        if words:
            cases = " ".join(
                f"when {quote(sent)} then {'null' if word is None else quote(word)}"
                for sent, word in words.items()
            )
            value = f"case {value} {cases} else {value} end"
        return value

    def _nested(self) -> str:
        """Which fields hold an object or a list, looked up only where a text looks like one."""
        paths = "[" + ", ".join(quote(f'$."{f}"') for f in self.fields) + "]"
        plain = [c for c in self.columns if not c.structured and c.data_type == "string"]
        brackets = " or ".join(
            f"({c.name}_sent >= '{bracket}' and {c.name}_sent < '{following}')"
            for c in plain
            for bracket, following in (("[", "\\"), ("{", "|"))
        )
        return f"case when {brackets} then json_type(doc, {paths}) end"

    def _unfolded(self) -> str:
        if not self.mapping.rows:
            return "select *, 1 as part, false as unfold_error from parsed"
        count = f"try_cast({_text(self.mapping.rows)} as bigint)"
        return f"""
            select * exclude (repeats), unnest(range(1, repeats + 1)) as part
            from (
                select *, not coalesce({count} between 1 and {MAX_UNFOLD}, false) as unfold_error,
                    case when {count} between 1 and {MAX_UNFOLD} then {count} else 1 end as repeats
                from parsed
            )
        """

    def _identified(self) -> str:
        """Derive the key from the record and its ordinal among the equal ones of its file."""
        if self.mapping.event_id_from is None:
            return "select *, cast(null as varchar) as fingerprint from unfolded"
        fields = self.mapping.event_id_from
        parts = [f"coalesce({_text(f)}, '')" for f in fields] or ["cast(doc as json)"]
        return f"""
            select unfolded.*, left(unfolded.fingerprint, 32) || '-' || (
                coalesce(seen.ordinal, 0) + row_number() over (
                    partition by unfolded.fingerprint order by line_number, part
                )
            ) as derived_id
            from (
                select *, sha256(concat_ws(chr(31), {", ".join(parts)})) as fingerprint
                from unfolded
            ) as unfolded
            left join seen using (fingerprint)
        """

    def _words(self) -> str:
        """Vocabulary columns as the vocabulary spells them."""
        words = ["true as has_words"]
        for column in self.columns:
            if column.vocabulary:
                known = self.vocabulary[column.vocabulary]
                spelled = (
                    f"trim(regexp_replace(lower({column.name}_sent), '[^a-z0-9]+', '_', 'g'), '_')"
                )
                cases = " ".join(
                    f"when {quote(spelling)} then {quote(value)}"
                    for spelling, value in known.items()
                )
                canonical = ", ".join(quote(v) for v in sorted(set(known.values())))
                words.append(
                    f"case when {column.name}_sent in ({canonical}) then {column.name}_sent "
                    f"else case {spelled} {cases} end end as {column.name}_word"
                )
        return ", ".join(words)

    def _typed(self, column: Column) -> str:
        sent = f"{column.name}_sent"
        if column.vocabulary:
            word = f"{column.name}_word"
            if column.unknown is None:
                return word
            return (
                f"case when {sent} is not null then coalesce({word}, {quote(column.unknown)}) end"
            )
        if column.name == self.contract.overflow:
            return self._overflow(column)
        if column.data_type == "string":
            return sent
        if column.data_type == "timestamp":
            return self._timestamp(column)
        if column.data_type == "int64":
            return (
                f"case when regexp_full_match({sent}, '[+-]?[0-9]+') "
                f"then try_cast({sent} as bigint) end"
            )
        if column.data_type == "float64":
            number = f"try_cast({sent} as double)"
            return f"case when isfinite({number}) then {number} end"
        return f"try_cast({sent} as {column.duckdb_type})"

    def _timestamp(self, column: Column) -> str:
        sent, zone = f"{column.name}_sent", quote(self.mapping.timezone)
        given = self.mapping.types.get(column.name)
        if given in _EPOCHS:
            return f"to_timestamp(try_cast({sent} as double) * {_EPOCHS[given] / 1e6})"
        if given:
            return f"try_strptime({sent}, {quote(given)}) at time zone {zone}"
        return (
            f"case when regexp_matches({sent}, {quote(_OFFSET)}) "
            f"and length({sent}) > 10 then try_cast({sent} as timestamptz) "
            f"else try_cast({sent} as timestamp) at time zone {zone} end"
        )

    def _overflow(self, column: Column) -> str:
        """The column's own value, joined by fields that no column takes and by unknown words."""
        known = "{" + ", ".join(f'"{f}": null' for f in self.fields) + "}"
        unknown = [
            f"case when {c.name}_word is null and {c.name}_sent is not null "
            f"then json_object({quote(c.name)}, {c.name}_sent) else '{{}}' end"
            for c in self.columns
            if c.unknown is not None
        ]
        has_more = " or ".join(
            ["len(undeclared) > 0"]
            + [
                f"({c.name}_word is null and {c.name}_sent is not null)"
                for c in self.columns
                if c.unknown is not None
            ]
        )
        own = f"{column.name}_sent"
        base = (
            f"case when {own} is null then '{{}}' "
            f"when json_valid({own}) and json_type({own}) = 'OBJECT' then {own} "
            f"else json_object({quote(column.name)}, {own}) end"
        )
        merged = ", ".join([base, f"json_merge_patch(doc, {quote(known)})", *unknown])
        return (
            f"case when {has_more} then cast(json_merge_patch({merged}) as varchar) else {own} end"
        )

    def _checks(self) -> Iterator[tuple[str, str]]:
        yield "undeclared is null", "payload_malformed "  # no JSON, or no object
        yield "is_forbidden", "pii_forbidden "
        yield f"size > {MAX_RECORD_BYTES}", "size_violation "
        yield "has_repeats", "payload_malformed "
        yield "unfold_error", f"envelope_violation /{self.mapping.rows}"
        for column in self.columns:
            if column.required:
                absent = f"{column.name}_sent is null or trim({column.name}_sent) = ''"
                yield absent, f"envelope_violation /{column.name}"
        for column in self.columns:
            yield from self._column_checks(column)
        if self.contract.overflow is None:
            yield "len(undeclared) > 0", "schema_violation "

    def _column_checks(self, column: Column) -> Iterator[tuple[str, str]]:
        name, pointer = column.name, f"/{column.name}"
        ill_typed = "envelope_violation" if column.required else "schema_violation"
        is_sent = f"{name}_sent is not null"
        if not column.structured and column.data_type == "string":
            kinds = " or ".join(
                f"nested[{self._position(f)}] in ('OBJECT', 'ARRAY')" for f in self._sources(column)
            )
            yield f"nested is not null and ({kinds})", f"{ill_typed} {pointer}"
        if column.data_type == "timestamp":
            yield f"{is_sent} and {name} is null", f"time_violation {pointer}"
            yield (
                f"{name} > now() + interval {FUTURE_DAYS} day or {name} < timestamptz '{OLDEST}'",
                f"time_violation {pointer}",
            )
        elif column.vocabulary:
            yield f"{is_sent} and {name} is null", f"schema_violation {pointer}"
        elif column.data_type != "string":
            empty = f"{name}_sent != ''"
            yield f"{is_sent} and {empty} and {name} is null", f"{ill_typed} {pointer}"
        if column.accepted:
            words = ", ".join(quote(word) for word in column.accepted)
            yield f"{name} not in ({words})", f"schema_violation {pointer}"
        if column.min is not None:
            yield f"{name} < {column.min}", f"schema_violation {pointer}"
        if column.max is not None:
            yield f"{name} > {column.max}", f"schema_violation {pointer}"


def _text(field: str) -> str:
    return f'texts."{field}"'


def _canonical(column: Column) -> str:
    """A value as text, the same for whatever spelling it was sent in."""
    if column.data_type == "timestamp":
        return f"epoch_us({column.name})"
    return f"cast({column.name} as varchar)"
