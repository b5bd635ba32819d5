"""The SQL that turns JSON documents into typed rows, or into refusals with a code and a pointer.

One statement per contract and mapping, run by DuckDB over whole blocks. The checks stand in the
order in which a person would want to hear of them; the first that fails names the refusal.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

from loaders.contracts import Column, Contract
from loaders.contracts.events import Registry
from loaders.home import quote
from loaders.landing import casts
from loaders.landing.mapping import Mapping
from loaders.landing.overflow import first, left_over, overflow, pointer
from loaders.landing.payload_fields import filled, no_amounts
from loaders.landing.payload_hash import payload_hash
from loaders.landing.payloads import Payloads
from loaders.residencies import residency_by_region

MAX_RECORD_BYTES = 8 << 20
MAX_UNFOLD = 100_000
OLDEST = "1990-01-01"
FUTURE_DAYS = 1


@dataclass(frozen=True, slots=True)
class Rules:
    """What rows are judged by beside their contract.

    `vocabulary` is {vocabulary: {spelling: word}}; rows of regions of another residency than
    `residency` may not land.
    """

    vocabulary: dict[str, dict[str, str]]
    events: Registry
    residency: str


@dataclass(frozen=True, slots=True)
class Validation:
    """A statement over `block(line_number, doc)` and the tables of what is known of shapes.

    `rows` yields `line_number`, `part` (1 unless the record was unfolded), `refusal` (code, space,
    pointer; null where the row is accepted), `event_key`, every sent column typed, `payload_hash`,
    and what has to be looked at before the rows are final: `new_names` and `new_event`, a list of
    field names and a shape of an event that are not known yet (see shapes.py and payloads.py), and
    `searched`, the text that secrets may be in. Where it
    `derives_key`, it yields the `fingerprint` that keys are derived from, and reads
    `seen(fingerprint, ordinal)`. Where it `reorders`, rows are not in the order of the block.
    """

    rows: str
    derives_key: bool
    reorders: bool


def build_validation(contract: Contract, mapping: Mapping, rules: Rules) -> Validation:
    """Generate the statement."""
    return Validation(
        rows=_Builder(contract, mapping, rules).rows(),
        derives_key=mapping.event_id_from is not None,
        reorders=mapping.event_id_from is not None or mapping.rows is not None,
    )


class _Builder:
    def __init__(self, contract: Contract, mapping: Mapping, rules: Rules) -> None:
        self.contract, self.mapping, self.residency = contract, mapping, rules.residency
        self.columns = contract.sent_columns
        self.words = {c.name: rules.vocabulary[c.vocabulary] for c in self.columns if c.vocabulary}
        self.payloads = Payloads(contract, rules.events) if contract.payload else None
        fields = [f for column in self.columns for f in mapping.sources_of(column)]
        fields += [*(mapping.event_id_from or ()), *mapping.others()]
        self.fields = list(dict.fromkeys(fields))
        # DuckDB's structs do not tell names apart that differ in case alone.
        self.in_struct = list({field.lower(): field for field in reversed(self.fields)}.values())

    def rows(self) -> str:
        """The whole statement."""
        structure = quote(json.dumps(dict.fromkeys(self.in_struct, "VARCHAR")))
        sent = ",\n".join(f"{self._value(c)} as {c.name}_sent" for c in self.columns)
        words = "".join(
            f", {casts.word(f'{name}_sent', spellings)} as {name}_word"
            for name, spellings in self.words.items()
        )
        typed = ",\n".join(f"{self._typed(c)} as {c.name}" for c in self.columns)
        checks = "\n".join(
            f"when {condition} then {verdict}" for condition, verdict in self._checks()
        )
        return f"""
        with framed as (
            select
                line_number,
                strlen(doc) as size,
                doc,
                case
                    when starts_with(doc, '{{') or starts_with(ltrim(doc, ' \t\r\n'), '{{')
                        then try(json_keys(doc))
                end as keys
            from block
        ), readable as (
            select
                line_number,
                size,
                case when keys is not null then doc end as doc,
                cast(to_json(keys) as varchar) as names
            from framed
        ), parsed as (
            select *, from_json(doc, {structure}) as texts from readable
        ), unfolded as (
            {self._unfolded()}
        ), identified as (
            {self._identified()}
        ), sent as (
            select
                line_number, part, size, doc, unfold_error, fingerprint,
                undeclared, has_repeats, is_forbidden,
                case when shapes.names is null then identified.names end as new_names,
                {left_over(self._texts_by_column())} as left_over,
                {no_amounts(self.mapping, self._text)} as no_amounts,
                {sent}
            from identified
            left join shapes using (names)
        ), worded as (
            select *, {self._nested()} as nested{words} from sent
        ), typed as (
            select
                * exclude ({", ".join(f"{c.name}_sent" for c in self.columns)}),
                {", ".join(f"{c.name}_sent" for c in self.columns)},
                {typed}
            from worded
        ){self.payloads.steps("typed") if self.payloads else ""}
        select
            line_number,
            part,
            case {checks} end as refusal,
            left({self.contract.key}_sent, 256) as event_key,
            fingerprint,
            {", ".join(c.name for c in self.columns)},
            {payload_hash(self.columns, self.mapping)} as payload_hash,
            new_names,
            {"new_event" if self.payloads else "cast(null as varchar)"} as new_event,
            {self._searched()} as searched
        from {"judged" if self.payloads else "typed"}
        """

    def _text(self, field: str) -> str:
        """The text of a field: null where it is absent or null, JSON where it is nested."""
        if field in self.in_struct:
            return f'texts."{field}"'
        return f"json_extract_string(doc, {quote(pointer(field))})"

    def _texts_by_column(self) -> list[list[tuple[str, str]]]:
        """The fields of each column with the SQL of their text, in the order of preference."""
        by_column = map(self.mapping.sources_of, self.columns)
        return [[(field, self._text(field)) for field in fields] for fields in by_column]

    def _position(self, field: str) -> int:
        return self.fields.index(field) + 1

    def _value(self, column: Column) -> str:
        if column.name in self.mapping.constants:
            return quote(self.mapping.constants[column.name])
        if column.name == self.contract.key and self.mapping.event_id_from is not None:
            return "derived_id"
        if column.name == self.mapping.filled:
            return filled(self.mapping, self._text)
        texts = map(self._text, self.mapping.sources_of(column))
        value = first(texts)
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
        paths = "[" + ", ".join(quote(pointer(f)) for f in self.fields) + "]"
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
        count = casts.integer(self._text(self.mapping.rows))
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
        parts = [f"coalesce({self._text(f)}, '')" for f in fields] or ["cast(doc as json)"]
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

    def _typed(self, column: Column) -> str:
        sent, mapping = f"{column.name}_sent", self.mapping
        if column.vocabulary and column.unknown is not None:
            known = f"coalesce({column.name}_word, {quote(column.unknown)})"
            return f"case when {sent} is not null then {known} end"
        if column.vocabulary:
            return f"{column.name}_word"
        if column.name == self.contract.overflow:
            return overflow(column, self.columns)
        if self.payloads and column.name == self.contract.payload:
            return self.payloads.normal()
        return casts.typed(sent, column, mapping.types.get(column.name), mapping.timezone)

    def _searched(self) -> str:
        """The text in which to look for secrets: structures, or all of it where fields are unknown.

        The other columns hold what their name says. A payload that is filled from fields says what
        it likes.
        """
        if self.mapping.filled:
            return "doc"
        columns = [c for c in self.columns if c.structured or c.unknown is not None]
        texts = ", ".join(f"{c.name}_sent" for c in columns)
        joined = f"""'"' || concat_ws('"', {texts})""" if columns else "''"
        return f"case when len(undeclared) > 0 then doc else {joined} end"

    def _checks(self) -> Iterator[tuple[str, str]]:
        """Condition and verdict, both SQL, in the order in which they are told."""
        yield from self._landable()
        for condition, verdict in self._record_checks():
            yield condition, quote(verdict)
        for column in self.columns:
            for condition, verdict in self._column_checks(column):
                yield condition, quote(verdict)
        if self.payloads:
            yield "no_amounts is not null", "'schema_violation ' || no_amounts"
            yield "misfit is not null", "misfit"
        if self.contract.overflow is None:
            yield "len(left_over) > 0", quote("schema_violation ")

    def _landable(self) -> Iterator[tuple[str, str]]:
        """Whether it is a record at all, and one that may be here."""
        yield "doc is null", quote("payload_malformed ")  # no JSON, or no object
        yield "is_forbidden", quote("pii_forbidden ")
        if self.payloads:
            yield "forbidden is not null", "'pii_forbidden ' || forbidden"
        if any(column.name == "region" for column in self.columns):
            regions = residency_by_region().items()
            foreign = [region for region, residency in regions if residency != self.residency]
            word = r"regexp_replace(lower(region_sent), '^[\s\pZ]+|[\s\pZ]+$', '', 'g')"
            listed = ", ".join(map(quote, foreign))
            yield f"list_contains([{listed}], {word})", quote("residency_violation /region")

    def _record_checks(self) -> Iterator[tuple[str, str]]:
        yield f"size > {MAX_RECORD_BYTES}", "size_violation "
        yield "has_repeats", "payload_malformed "
        yield "unfold_error", f"envelope_violation /{self.mapping.rows}"
        for column in self.columns:
            absent = f"({column.name}_sent is null or trim({column.name}_sent) = '')"
            if column.required:
                yield absent, f"envelope_violation /{column.name}"
            elif column.required_unless:
                other, *values = column.required_unless
                excused = f"{other}_sent in ({', '.join(map(quote, values))})"
                missing = f"{absent} and not coalesce({excused}, false)"
                yield missing, f"envelope_violation /{column.name}"

    def _column_checks(self, column: Column) -> Iterator[tuple[str, str]]:
        name, place = column.name, f"/{column.name}"
        ill_typed = "envelope_violation" if column.required else "schema_violation"
        is_sent = f"{name}_sent is not null"
        if not column.structured and column.data_type == "string":
            kinds = " or ".join(
                f"nested[{self._position(f)}] in ('OBJECT', 'ARRAY')"
                for f in self.mapping.sources_of(column)
            )
            if kinds:
                yield f"nested is not null and ({kinds})", f"{ill_typed} {place}"
        if column.data_type == "timestamp":
            yield f"{is_sent} and {name} is null", f"time_violation {place}"
            yield (
                f"{name} > now() + interval {FUTURE_DAYS} day or {name} < timestamptz '{OLDEST}'",
                f"time_violation {place}",
            )
        elif column.vocabulary:
            yield f"{is_sent} and {name} is null", f"schema_violation {place}"
        elif column.data_type != "string":
            empty = f"{name}_sent != ''"
            yield f"{is_sent} and {empty} and {name} is null", f"{ill_typed} {place}"
        if name == self.contract.payload:
            yield casts.holds_no_number(name), "payload_malformed "
        elif column.structured:
            # A text may say what it likes; an object is JSON, or the record is none.
            fields = self.mapping.sources_of(column)
            held = [f"json_type(doc, {quote(pointer(f))}) in ('OBJECT', 'ARRAY')" for f in fields]
            held += ["len(left_over) > 0"] if name == self.contract.overflow else []
            if held:
                is_json = " or ".join(held)
                yield f"{casts.holds_no_number(name)} and ({is_json})", "payload_malformed "
            if column.json:
                kind = quote({"object": "OBJECT", "list": "ARRAY"}[column.json])
                sent_kind = f"case when json_valid({name}) then json_type({name}) end"
                is_other = f"{sent_kind} is distinct from {kind}"
                yield f"{is_sent} and {is_other}", f"schema_violation {place}"
        if column.accepted:
            words = ", ".join(quote(word) for word in column.accepted)
            yield f"{name} not in ({words})", f"schema_violation {place}"
        if column.min is not None:
            yield f"{name} < {column.min}", f"schema_violation {place}"
        if column.max is not None:
            yield f"{name} > {column.max}", f"schema_violation {place}"
