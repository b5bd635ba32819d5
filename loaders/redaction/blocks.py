"""Cut secrets out of a block of records before anything is made of them.

The validation gives the texts that secrets may be in, one quick look says which may hold one, and
the other records are not touched. What is cut is cut in the record, so that columns, the overflow
and the payload hash all come from what is left.
"""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Mapping as Counts

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from loaders.contracts import Contract
from loaders.errors import AssayError
from loaders.landing.mapping import Mapping
from loaders.landing.validation import MAX_RECORD_BYTES
from loaders.redaction import cards
from loaders.redaction.cutting import Cutter, NotJson
from loaders.redaction.secret_words import SecretWords


class Redaction:
    """Cuts the records of one contract and mapping.

    Looked into are all structured columns and what a mapping fills them from, those that pass
    unknown words on to the overflow, and all fields that the contract does not know. The other
    columns hold what their name says. Raises AssayError for a key made of secrets, and for a
    mapping that gives another value a secret's name, by which it would be cut nowhere.
    """

    def __init__(
        self, contract: Contract, mapping: Mapping, words: SecretWords | None = None
    ) -> None:
        self._words = words or SecretWords()
        columns = contract.sent_columns
        searched = {
            field
            for column in columns
            if column.structured or column.unknown is not None
            for field in mapping.sources_of(column)
        }.union(mapping.in_payload(amounts=False))
        declared = {field for column in columns for field in mapping.sources_of(column)}
        self._plain = frozenset(declared.union(mapping.in_payload(amounts=True)) - searched)
        for field in mapping.event_id_from or ():
            if field not in self._plain and self._words.is_secret(field):
                raise AssayError(
                    f"event_id_from names {field}, whose values are cut as secrets. "
                    "Derive the key from other fields."
                )
        for name in filter(self._words.is_secret, mapping.payload):
            raise AssayError(
                f"payload has {name}, a name whose values are cut as secrets. Give it another name."
            )

    def suspects(self, texts: pa.ChunkedArray) -> pa.Array:
        """Which of the texts may hold a secret: true for those that do, and for few others.

        Most texts of a block are equal, and each is looked at once.
        """
        distinct = texts.combine_chunks().dictionary_encode()
        found = pc.or_(
            pc.match_substring_regex(distinct.dictionary, self._words.suspect),
            pc.match_substring_regex(distinct.dictionary, cards.SUSPECT),
        )
        return pc.fill_null(found.take(distinct.indices), False)

    def apply(self, block: pa.Table, lines: Iterable[int]) -> tuple[pa.Table, Counts[int, int]]:
        """The block with the `doc` of these lines cut, and how many values were, by line number.

        A record that could not be read, though it may hold a secret, has a null `doc`: it is
        refused as malformed.
        """
        docs = block["doc"].combine_chunks()
        suspects = pc.is_in(block["line_number"], value_set=pa.array(list(lines), pa.int64()))
        changed: dict[int, str | None] = {}
        counts: dict[int, int] = {}
        for index in np.flatnonzero(suspects.to_numpy()).tolist():
            text = docs[index].as_py()
            if text is None or len(text) > MAX_RECORD_BYTES:
                continue  # refused as malformed, or for its size
            cutter = Cutter(self._words)
            try:
                cut = cutter.record(text, self._plain)
            except NotJson:
                changed[index] = None
                continue
            if cutter.count:
                changed[index] = cut
                counts[block["line_number"][index].as_py()] = cutter.count
        if changed:
            mask = np.zeros(len(docs), dtype=np.bool_)
            mask[list(changed)] = True
            values = pa.array(changed.values(), type=docs.type)
            docs = pc.replace_with_mask(docs, pa.array(mask), values)
            block = block.set_column(block.schema.get_field_index("doc"), "doc", docs)
        return block, counts
