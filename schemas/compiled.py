"""Avro for the hot path: a schema compiled into straight Python, for the values that nearly all events have.

fastavro walks the schema for every value, at 4 µs a chat event each way; straight code needs a third of it
(docs/decisions/0021). The code handles only the usual: all fields present, of the right type, texts below
8 KiB in the encoder. On anything else it gives way to fastavro, which knows the rest of Avro, and the errors;
so it never decides that a value is wrong, and what it gives is what fastavro would (a test compares them).
"""

import struct
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from types import CodeType, MappingProxyType
from typing import Any, Final

Encode = Callable[[Mapping[str, Any]], bytes]
Decode = Callable[[bytes], Any]

_double: Final = struct.Struct("<d")
_TABLE: Final = 8192


class GivesWay(Exception):  # noqa: N818 - not an error
    """Not a value for straight code."""


def varint(number: int) -> bytes:
    """A long as Avro writes it: zigzag, seven bits a byte, the low ones first."""
    z = (number << 1) ^ (number >> 63)
    out = bytearray()
    while z > 127:
        out.append(z & 127 | 128)
        z >>= 7
    out.append(z)
    return bytes(out)


#: Lengths as varints; and the same after the branch of a union with null.
_LENGTH: Final = [varint(n) for n in range(_TABLE)]
_LENGTH_IN_UNION: Final = [b"\2" + length for length in _LENGTH]
#: What straight encoding stumbles over; then fastavro says what it is.
UNUSUAL: Final = (
    KeyError,
    IndexError,
    AttributeError,
    TypeError,
    ValueError,
    OverflowError,
    struct.error,
    GivesWay,
)


#: Two digits of a varint at once and one, with the mark that more follow; and one, the last.
_PAIR: Final = [bytes((n & 127 | 128, n >> 7 | 128)) for n in range(1 << 14)]
_MORE: Final = [bytes((n | 128,)) for n in range(128)]
_LAST: Final = [bytes((n,)) for n in range(128)]


def _long(number: int) -> bytes:
    z = number << 1
    if 0 <= z < 128:
        return _LAST[z]
    if 1 << 42 <= z < 1 << 49:  # a sequence number of the first 31 epochs
        return _PAIR[z & 16383] + _PAIR[z >> 14 & 16383] + _PAIR[z >> 28 & 16383] + _LAST[z >> 42]
    if 1 << 35 <= z < 1 << 42:  # a time in milliseconds, from 1970-07 to 2039
        return _PAIR[z & 16383] + _PAIR[z >> 14 & 16383] + _MORE[z >> 28 & 127] + _LAST[z >> 35]
    return varint(number)


def _read_long(value: bytes, at: int) -> tuple[int, int]:
    """(number, next position) for a varint of more than one byte."""
    a, b = value[at], value[at + 1]
    if b < 128:
        z, at = a & 127 | b << 7, at + 2
        return z >> 1 ^ -(z & 1), at
    z, shift = a & 127 | (b & 127) << 7, 14
    for byte in value[at + 2 : at + 10]:
        z |= (byte & 127) << shift
        if byte < 128:
            if z >> 64:  # no long: fastavro cuts it
                raise GivesWay
            return z >> 1 ^ -(z & 1), at + shift // 7 + 1
        shift += 7
    raise GivesWay


def compile_encoder(schema: Any, prefix: bytes) -> Encode | None:
    """The encoder for a record; None if the schema has something that straight code does not handle."""
    heads: list[str] = []
    leaves: list[tuple[str, Any]] = []
    _walk(schema, "v", heads, leaves)
    built: Encode | None = _encoder("v", heads, leaves, prefix)
    return built


def compile_flat_encoder(
    schema: Any, prefix: bytes, fixed: Mapping[str, Any] = MappingProxyType({})
) -> Callable[..., bytes] | None:
    """The same for a value that is in no dicts yet: its arguments are the fields, inner records' in place.

    Fields that are `fixed` have this value always, and are no arguments.
    """
    leaves: list[tuple[str, Any]] = []
    _walk(schema, "v", [], leaves)
    known = {
        name: fixed[field] for (name, _), field in zip(leaves, _fields(schema), strict=True) if field in fixed
    }
    arguments = ", ".join(name for name, _ in leaves if name not in known)
    built: Callable[..., bytes] | None = _encoder(arguments, [], leaves, prefix, known)
    return built


def _fields(schema: Any) -> Iterator[str]:
    """The names of a record's leaves."""
    for field in schema["fields"]:
        kind = field["type"]
        if isinstance(kind, dict) and kind["type"] == "record":
            yield from _fields(kind)
        else:
            yield field["name"]


def compile_joining_encoder(schema: Any, prefix: bytes, rest: Any) -> Callable[..., bytes] | None:
    """The encoder of a record whose last fields are those of `rest`; None where they are not.

    Its arguments are the fields before them, and then a value of `rest` as bytes, joined as they are.
    """
    own = len(schema["fields"]) - len(rest["fields"])
    if own < 0 or _shape({"fields": schema["fields"][own:]}) != _shape(rest):
        return None
    leaves: list[tuple[str, Any]] = []
    _walk({"fields": schema["fields"][:own]}, "v", [], leaves)
    leaves.append(("rest", _AS_IT_IS))
    built: Callable[..., bytes] | None = _encoder(", ".join(name for name, _ in leaves), [], leaves, prefix)
    return built


def _shape(schema: Any) -> Any:
    """What tells a schema's bytes from another's: names and types of its fields."""
    if not isinstance(schema, dict) or "fields" not in schema:
        return schema
    return [(field["name"], _shape(field["type"])) for field in schema["fields"]]


def compile_decoder(schema: Any, start: int, reader: Any = None) -> Decode | None:
    """The decoder for a record at `start`; None if straight code does not handle the schema.

    `reader` is the schema by which it is read, if that is another version: it may have more fields, and less.
    """
    lines: list[str] = [f"i = {start}"]
    found = _decode_record(schema, schema if reader is None else reader, lines, [0], _DECODE)
    if found is None:
        return None
    source = [
        "def decode(b):",
        *(f"    {line}" for line in lines),
        # Slices are cut short at the end without a word: then i is beyond it.
        "    if i != len(b): raise GivesWay",
        f"    return {found}",
    ]
    built: Decode = _built("decode", source)
    return built


def compile_head(schema: Any, start: int, last: str, reader: Any = None) -> Decode | None:
    """The decoder of a record's fields up to `last`: what lies behind it is not looked at.

    It knows arrays too, which in a whole value are fastavro's: that is quicker where they are long.
    """
    lines: list[str] = [f"i = {start}"]
    read = schema if reader is None else reader
    found = _decode_record(_head(schema, last), _head(read, last), lines, [0], _DECODE_HEAD)
    if found is None:
        return None
    source = [
        "def decode(b):",
        *(f"    {line}" for line in lines),
        "    if i > len(b): raise GivesWay",
        f"    return {found}",
    ]
    built: Decode = _built("decode", source)
    return built


def _head(schema: Any, last: str) -> Any:
    names = [field["name"] for field in schema["fields"]]
    return {**schema, "fields": schema["fields"][: names.index(last) + 1]}


def _built(name: str, source: list[str], **names: Any) -> Any:
    space: dict[str, Any] = {
        "JOIN": b"".join,
        "LENGTH": _LENGTH,
        "LENGTH_IN_UNION": _LENGTH_IN_UNION,
        "long": _long,
        "read_long": _read_long,
        "NOTHING": b"\0",
        "SOMETHING": b"\2",
        "EMPTY": b"",
        "pack_double": _double.pack,
        "unpack_double": _double.unpack_from,
        "GivesWay": GivesWay,
        **names,
    }
    # As dataclasses and namedtuples are made: from the schema files of this package, never from outside.
    exec(_code("\n".join(source)), space)  # noqa: S102
    return space[name]


@lru_cache(maxsize=256)
def _code(source: str) -> CodeType:
    """Once for all codecs of a schema: a worker has some for each partition."""
    return compile(source, "<schema>", "exec")


def _is_optional(union: list[Any], known: Mapping[str, Any]) -> bool:
    return len(union) == 2 and union[0] == "null" and isinstance(union[1], str) and union[1] in known


def _walk(schema: Any, value: str, heads: list[str], leaves: list[tuple[str, Any]]) -> None:
    """Appends the code that takes a record apart, and the name and type of each of its leaves."""
    for field in schema["fields"]:
        kind, name = field["type"], f"f{len(heads)}_{len(leaves)}"
        heads.append(f"{name} = {value}[{field['name']!r}]")
        if isinstance(kind, dict) and kind["type"] == "record":
            _walk(kind, name, heads, leaves)
        else:
            leaves.append((name, kind))


def _encoder(
    arguments: str,
    heads: list[str],
    leaves: list[tuple[str, Any]],
    prefix: bytes,
    known: Mapping[str, Any] = MappingProxyType({}),
) -> Any:
    lines = list(heads)
    #: Names and calls; and bytes that are always the same, which become one where they touch.
    parts: list[str | bytes] = [prefix]
    for name, kind in leaves:
        if name in known:
            alone = _encoder(name, [], [(name, kind)], b"")
            if alone is None:
                return None
            always: bytes = alone(known[name])
            if isinstance(before := parts[-1], bytes):
                parts[-1] = before + always
            else:
                parts.append(always)
            continue
        if isinstance(kind, list):
            if not _is_optional(kind, _ENCODE_IN_UNION):
                return None
            line, joined = _ENCODE_IN_UNION[kind[1]]
            # Nothing is joined where there is nothing: an empty part costs less than a choice of tuples.
            lines += [f"if {name} is None: {name}_n = NOTHING; {name} = EMPTY", f"else: {line.format(name)}"]
        elif isinstance(kind, str) and kind in _ENCODE:
            line, joined = _ENCODE[kind]
            lines.append(line.format(name))
        else:
            return None
        parts.append(joined.format(name))
    source = [
        f"def encode({arguments}):",
        *(f"    {line}" for line in lines),
        f"    return JOIN(({', '.join(part if isinstance(part, str) else repr(part) for part in parts)},))",
    ]
    return _built("encode", source)


#: For what is bytes already.
_AS_IT_IS: Final = "as it is"
#: The code that makes bytes of a value, and what of it is joined: the length by itself, because to put it in
#: front of the text would copy that once more.
_ENCODE: Final = {
    _AS_IT_IS: ("pass", "{0}"),
    "string": ("{0} = {0}.encode()", "LENGTH[len({0})], {0}"),
    "bytes": ("pass", "LENGTH[len({0})], {0}"),
    "long": ("{0} = long({0})", "{0}"),
    "int": ("{0} = long({0})", "{0}"),
    "double": ("{0} = pack_double({0})", "{0}"),
}
_ENCODE_IN_UNION: Final = {
    "string": ("{0} = {0}.encode(); {0}_n = LENGTH_IN_UNION[len({0})]", "{0}_n, {0}"),
    "bytes": ("{0}_n = LENGTH_IN_UNION[len({0})]", "{0}_n, {0}"),
    "long": ("{0} = long({0}); {0}_n = SOMETHING", "{0}_n, {0}"),
    "double": ("{0} = pack_double({0}); {0}_n = SOMETHING", "{0}_n, {0}"),
}


#: The code for a simple type.
Simple = Mapping[str, tuple[str, ...]]


def _decode_record(
    schema: Any, reader: Any, lines: list[str], count: list[int], simple: Simple
) -> str | None:
    """Appends the code; returns the expression for the record as its reader has it."""
    wanted = {field["name"]: field for field in reader["fields"]}
    found: dict[str, str] = {}
    for field in schema["fields"]:
        name, kind = field["name"], field["type"]
        as_read = wanted[name]["type"] if name in wanted else kind
        value = _decode_value(kind, as_read, lines, count, simple)
        if value is None:
            return None
        found[name] = value
    for name, field in wanted.items():
        if name not in found:
            if "default" not in field or isinstance(field["default"], dict):
                return None
            found[name] = repr(field["default"])
    return "{" + ", ".join(f"{name!r}: {found[name]}" for name in wanted) + "}"


def _decode_value(kind: Any, as_read: Any, lines: list[str], count: list[int], simple: Simple) -> str | None:
    """Appends the code; returns the expression for the value."""
    if isinstance(kind, dict) and kind["type"] == "record" and isinstance(as_read, dict):
        return _decode_record(kind, as_read, lines, count, simple)
    if as_read != kind:
        return None
    count[0] += 1
    name = f"f{count[0]}"
    if isinstance(kind, list):
        if not _is_optional(kind, simple):
            return None
        lines.extend(
            [
                "u = b[i]; i += 1",
                f"if u == 0: {name} = None",
                "elif u == 2:",
                *(f"    {line.format(name)}" for line in simple[kind[1]]),
                "else: raise GivesWay",
            ]
        )
    elif isinstance(kind, dict) and kind["type"] == "array" and "array" in simple:
        inner: list[str] = []
        item = _decode_value(kind["items"], kind["items"], inner, count, simple)
        if item is None:
            return None
        block = [*_LENGTH_OF, "for _ in range(n):", *(f"    {line}" for line in inner)]
        lines += [f"{name} = []", "while b[i]:", *(f"    {line}" for line in block)]
        lines += [f"        {name}.append({item})", "i += 1"]
    elif isinstance(kind, str) and kind in simple:
        lines.extend(line.format(name) for line in simple[kind])
    else:
        return None
    return name


_LENGTH_OF: Final = (
    "n = b[i]",
    "if n < 128:",
    "    i += 1",
    "    if n & 1: raise GivesWay",
    "    n >>= 1",
    "else:",
    "    n, i = read_long(b, i)",
    "    if n < 0: raise GivesWay",
)
_NUMBER: Final = (
    "{0} = b[i]",
    "if {0} < 128:",
    "    i += 1",
    "    {0} = {0} >> 1 ^ -({0} & 1)",
    "else:",
    "    {0}, i = read_long(b, i)",
)
_DECODE: Final[Simple] = {
    "string": (*_LENGTH_OF, "{0} = b[i : i + n].decode(); i += n"),
    "bytes": (*_LENGTH_OF, "{0} = b[i : i + n]; i += n"),
    "long": _NUMBER,
    "int": _NUMBER,
    "double": ("{0} = unpack_double(b, i)[0]; i += 8",),
}
_DECODE_HEAD: Final[Simple] = {
    **_DECODE,
    "boolean": ("{0} = b[i] == 1", "if b[i] > 1: raise GivesWay", "i += 1"),
    "array": (),
}
