"""What a new version of a schema breaks: for readers that have it (backward), or not yet (forward)."""

from collections.abc import Iterator
from typing import Any


def incompatibilities(old: Any, new: Any) -> list[str]:
    """Sentences on what keeps the new version from reading the old one's values, or the other way round."""
    return [*_unreadable(old, new, "backward"), *_unreadable(new, old, "forward")]


def _unreadable(writer: Any, reader: Any, way: str, where: str = "") -> Iterator[str]:
    """Where `reader` cannot read what `writer` wrote."""
    if isinstance(writer, list) or isinstance(reader, list):
        yield from _unions(writer, reader, way, where)
    elif _kind(writer) != _kind(reader):
        yield f"{way}: {where or 'the value'} was written as {_kind(writer)} and is read as {_kind(reader)}."
    elif _kind(writer) == "record":
        yield from _records(writer, reader, way, where)
    elif _kind(writer) in ("array", "map"):
        inner = "items" if _kind(writer) == "array" else "values"
        yield from _unreadable(writer[inner], reader[inner], way, f"{where}[]")


def _records(writer: Any, reader: Any, way: str, where: str) -> Iterator[str]:
    if writer["name"] != reader["name"]:
        yield f"{way}: the record {writer['name']} is called {reader['name']}."
    written = {field["name"]: field for field in writer["fields"]}
    for field in reader["fields"]:
        name = f"{where}.{field['name']}".lstrip(".")
        if field["name"] in written:
            yield from _unreadable(written[field["name"]]["type"], field["type"], way, name)
        elif "default" not in field:
            yield f"{way}: {name} has no default, and is not in what was written."


def _unions(writer: Any, reader: Any, way: str, where: str) -> Iterator[str]:
    branches = reader if isinstance(reader, list) else [reader]
    for branch in writer if isinstance(writer, list) else [writer]:
        if all(next(_unreadable(branch, other, way, where), None) for other in branches):
            yield f"{way}: {where or 'the value'} may be {_kind(branch)}, which is not read."


def _kind(schema: Any) -> str:
    """The type's name, with its logical type: a time is no other number."""
    if isinstance(schema, dict):
        logical = schema.get("logicalType")
        return f"{_kind(schema['type'])}{f' ({logical})' if logical else ''}"
    return str(schema)
