"""What a change of the event registry asks of its version, and whether it may be made at all.

Versions are semantic: whoever sends what was accepted may go on for as long as the major version
stays, so what they would trip over needs a new one. What only allows more needs a new minor
version. Whatever the version, a name keeps its type, and stays as private as it was.
"""

from __future__ import annotations

from collections.abc import Iterator

from loaders.contracts.changes import RULES, Change, Node, said
from loaders.contracts.checks import PRIVACY_CLASSES


def compare(old: Node, new: Node) -> Iterator[Change]:
    """The changes from one description of the registry to another: {type: {major: version}}."""
    yield from _of_names(old, new)
    for event_type in sorted(old.keys() - new.keys()):
        yield Change(
            event_type, "the type is gone", "keep it: it is sent, and its events are in bronze"
        )
    for event_type, majors in new.items():
        before = old.get(event_type)
        if before is None:
            yield Change(event_type, "a new type")
        else:
            yield from _of_type(event_type, before, majors)


def _of_names(old: Node, new: Node) -> Iterator[Change]:
    """What a name meant and no longer means, told once, however many types have it."""
    known, now = _meanings(old), _meanings(new)
    for name in sorted(known.keys() & now.keys()):
        (old_type, old_class), (new_type, new_class) = known[name], now[name]
        if new_type != old_type:
            yield Change(
                f"field {name}",
                f"data_type is now {new_type}",
                "give the field another name: a column of silver keeps its type",
            )
        if PRIVACY_CLASSES.index(new_class) > PRIVACY_CLASSES.index(old_class):
            yield Change(
                f"field {name}",
                f"privacy is now {new_class}",
                "keep the class; for a value that says less, add a field",
            )


def _meanings(registry: Node) -> dict[str, tuple[str, str]]:
    """Type and privacy class of every name."""
    return {
        name: (field["data_type"], field["privacy"])
        for majors in registry.values()
        for version in majors.values()
        for name, field in version["fields"].items()
    }


def _of_type(event_type: str, old: Node, new: Node) -> Iterator[Change]:
    for major in sorted(old.keys() - new.keys()):
        is_followed = any(int(other) > int(major) for other in new)
        yield Change(
            f"{event_type} {major}",
            "the major version is no longer read",
            None if is_followed else "keep it: it is sent, and its events are in bronze",
        )
    for major, version in new.items():
        if major in old:
            yield from _of_version(event_type, old[major], version)
        else:
            yield Change(f"{event_type} {major}", "a new major version")


def _of_version(event_type: str, old: Node, new: Node) -> Iterator[Change]:
    """Changes within a major version, each with what it asks of the version."""
    before, after = _numbers(old["version"]), _numbers(new["version"])
    if after < before:
        yield Change(
            event_type,
            f"version is now {new['version']}",
            f"versions only rise: it was {old['version']}",
        )
    elif after != before:
        yield Change(event_type, f"version is now {new['version']}")
    if new["domain"] != old["domain"]:
        yield Change(event_type, f"domain is now {new['domain']}")
    for name, what, is_breaking in _differences(old["fields"], new["fields"]):
        instead = None
        if is_breaking:
            instead = (
                f"declare it in version {before[0] + 1}.0.0, and keep {old['version']} beside it "
                "for as long as it is sent"
            )
        elif after[:2] <= before[:2]:
            instead = f"raise the version to {before[0]}.{before[1] + 1}.0"
        yield Change(f"{event_type}.{name}", what, instead)


def _differences(old: Node, new: Node) -> Iterator[tuple[str, str, bool]]:
    """Field, what changed, and whether someone who sends what was accepted would be refused."""
    for name in sorted(old.keys() - new.keys()):
        yield name, "the field is gone", True
    for name, field in new.items():
        if name not in old:
            yield name, "a new field", bool(field.get("required"))
            continue
        for key in sorted({*old[name], *field} - {"data_type"}):
            before, after = old[name].get(key), field.get(key)
            if before == after:
                continue
            is_breaking = key != "privacy" and RULES[key](before, after) is not None
            yield name, said(key, after), is_breaking


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))
