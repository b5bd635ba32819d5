"""Reading the engine's trees, and rewriting the text that they describe.

Statements are taken apart by GoogleSQL's own parser. Its trees are protobuf messages in which each
node is wrapped in a choice per base class and keeps inherited fields in a chain of parents.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from google.protobuf.message import Message


class Node:
    """A node of a syntax tree or a resolved tree, freed of its wrapping.

    A child that is absent is None, a repeated one a list.
    """

    def __init__(self, message: Message) -> None:
        while message.DESCRIPTOR.name.startswith("Any"):
            message = getattr(message, message.WhichOneof("node"))
        self.message = message

    @property
    def kind(self) -> str:
        """The name of the node's class, such as ASTMergeStatement."""
        return self.message.DESCRIPTOR.name.removesuffix("Proto")

    def __getattr__(self, name: str) -> Any:
        message = self.message
        while name not in message.DESCRIPTOR.fields_by_name:
            if "parent" not in message.DESCRIPTOR.fields_by_name:
                raise AttributeError(f"{self.kind} has no {name}")
            message = message.parent
        value = getattr(message, name)
        descriptor = message.DESCRIPTOR.fields_by_name[name]
        if descriptor.is_repeated:
            return [Node(item) for item in value] if descriptor.message_type else list(value)
        if not descriptor.message_type:
            return value
        return Node(value) if message.HasField(name) else None

    @property
    def span(self) -> tuple[int, int]:
        """First byte of the node in its script, and the one behind its last."""
        message = self.message
        while "parse_location_range" not in message.DESCRIPTOR.fields_by_name:
            message = message.parent
        return message.parse_location_range.start, message.parse_location_range.end

    def find(self, kind: str) -> list[Node]:
        """The nodes of a kind below this one, itself included, in the order of the text."""
        return [Node(message) for message in self._below.get(f"{kind}Proto", ())]

    @cached_property
    def _below(self) -> dict[str, list[Message]]:
        """All messages from here on, by their class: one walk serves many questions."""
        found: dict[str, list[Message]] = {}
        stack = [self.message]
        while stack:
            message = stack.pop()
            found.setdefault(message.DESCRIPTOR.name, []).append(message)
            children: list[Message] = []
            for descriptor, value in message.ListFields():
                if descriptor.message_type and descriptor.message_type.name not in _WITHOUT_NODES:
                    children.extend(value if descriptor.is_repeated else [value])
            stack.extend(reversed(children))
        return found


# Messages that hold no nodes: the root of all classes, and a place in the text.
_WITHOUT_NODES = {"ASTNodeProto", "ParseLocationRangeProto"}


def identifiers(path: Node) -> tuple[str, ...]:
    """The parts of a path, as they are spelled: `` `p.d`.t `` has two."""
    if path.kind == "ASTDotIdentifier":
        return (*identifiers(path.expr), path.name.id_string)
    return tuple(name.id_string for name in path.names)


@dataclass
class Text:
    """The text of a script, and what stands in for parts of it when it is evaluated."""

    script: bytes
    edits: dict[tuple[int, int], str] = field(default_factory=dict)

    def written(self, node: Node) -> str:
        """A node as it was written."""
        start, end = node.span
        return self.script[start:end].decode()

    def edited(self, node: Node) -> str:
        """A node with the edits inside it made."""
        position, last = node.span
        pieces = []
        for (start, end), replacement in sorted(self.edits.items()):
            if position <= start and end <= last:
                pieces += [self.script[position:start].decode(), replacement]
                position = end
        return "".join([*pieces, self.script[position:last].decode()])
