"""Avro in Confluent's wire format: a zero byte, the schema's id in four bytes, the value."""

import struct
from collections.abc import Callable, Mapping
from io import BytesIO
from typing import Any, Final

import fastavro

from kernel.errors import TouchlineError
from schemas.catalog import Catalog, Version, built_in, without_logical_types
from schemas.compiled import (
    UNUSUAL,
    Decode,
    compile_decoder,
    compile_encoder,
    compile_flat_encoder,
    compile_head,
    compile_joining_encoder,
)

_HEADER: Final = struct.Struct(">BI")
#: What fastavro raises on bytes that are not the schema's.
_NOT_AVRO: Final = (EOFError, IndexError, ValueError, TypeError, OverflowError, MemoryError)


class Undecodable(TouchlineError):  # noqa: N818 - it reads as what it says
    """Bytes that cannot be read: code `undecodable`, or `unknown_schema`."""


class Codec:
    """Encodes with the latest version of a schema, or a given one; decodes any that was ever written.

    `decode` gives what the latest version would: fields that the writer did not know have their defaults.
    Times are integers, in milliseconds since 1970.
    """

    def __init__(self, name: str, catalog: Catalog | None = None, version: int | None = None) -> None:
        """`version` is what is written, for values that say no more than an older version can: who has not
        been upgraded reads them, too."""
        self.name: Final = name
        self._catalog = catalog or built_in()
        latest = self._latest_version = self._catalog.latest(name)
        written = latest if version is None else Version(name, version)
        self.schema_id: Final = self._catalog.id_of(written)
        self.prefix: Final = _HEADER.pack(0, self.schema_id)
        plain, newest = self._plain(written), self._plain(latest)
        self._fields = plain
        self._latest = fastavro.parse_schema(newest)
        self._written = self._latest if written == latest else fastavro.parse_schema(plain)
        self._encode = compile_encoder(plain, self.prefix)
        #: For callers who have a value in no dicts; None, or any of UNUSUAL from it: use `encode`.
        self.encode_flat: Final = compile_flat_encoder(plain, self.prefix)
        self._decoders: dict[bytes, Decode] = {}
        self._writers: dict[int, Any] = {}
        for number, known in self._catalog.ids.items():
            if known.name == name:
                self._learn(number, known, newest)
        #: Decodes what begins with `prefix`; None, or any of UNUSUAL from it: use `decode`.
        self.straight: Final = self._decoders.get(self.prefix)

    def flat(self, fixed: Mapping[str, Any]) -> Callable[..., bytes] | None:
        """As `encode_flat`, for values that have these fields in common: they are no arguments."""
        return compile_flat_encoder(self._fields, self.prefix, fixed)

    def joining(self, rest: "Codec") -> Callable[..., bytes] | None:
        """Encodes the fields before those of `rest`, given one by one, and joins what `rest` has encoded, but
        for its prefix. None where this schema does not end as that one; any of UNUSUAL from it: `encode`."""
        return compile_joining_encoder(self._fields, self.prefix, rest._fields)

    def _plain(self, version: Version) -> Any:
        return without_logical_types(self._catalog.schemas[version])

    def _learn(self, number: int, version: Version, newest: Any) -> None:
        """Values under this id are of this version."""
        latest = version == self._latest_version
        plain = newest if latest else self._plain(version)
        self._writers[number] = self._latest if latest else fastavro.parse_schema(plain)
        if (decoder := compile_decoder(plain, _HEADER.size, newest)) is not None:
            self._decoders[_HEADER.pack(0, number)] = decoder

    def encode(self, value: Mapping[str, Any]) -> bytes:
        """The value as bytes. Raises ValueError or TypeError where a field is missing or of another type."""
        if self._encode is not None:
            try:
                return self._encode(value)
            except UNUSUAL:
                pass  # fastavro knows what it is
        # A fresh buffer a call: cheaper than clearing one, and two threads may share the codec.
        out = BytesIO()
        out.write(self.prefix)
        fastavro.schemaless_writer(out, self._written, value)
        return out.getvalue()

    def decode(self, value: bytes) -> dict[str, Any]:
        """The value as the latest version has it. Raises Undecodable."""
        decode = self._decoders.get(value[:5])
        if decode is not None:
            try:
                found: dict[str, Any] = decode(value)
                return found
            except UNUSUAL:
                pass  # fastavro knows what it is
        writer = self._writer_of(value)
        reader = None if writer is self._latest else self._latest
        source = BytesIO(value)
        source.seek(5)
        try:
            decoded = fastavro.schemaless_reader(source, writer, reader)
        except _NOT_AVRO as error:
            raise Undecodable(
                "undecodable",
                f"The value is not Avro of the schema {self.name}: {str(error) or 'it is cut short'}.",
            ) from error
        if source.tell() != len(value):
            raise Undecodable(
                "undecodable", f"{len(value) - source.tell()} bytes follow the Avro value of {self.name}."
            )
        return decoded  # type: ignore[return-value]  # records are dicts

    def head_decoder(self, last: str) -> Callable[[bytes], dict[str, Any]]:
        """A function that decodes a value's fields up to `last`, where that is quicker, or all. It raises
        Undecodable, but not for what it does not look at."""
        newest = self._plain(self._latest_version)
        known = {n: v for n, v in self._catalog.ids.items() if v.name == self.name}
        built = {n: compile_head(self._plain(v), _HEADER.size, last, newest) for n, v in known.items()}
        heads = {_HEADER.pack(0, number): head for number, head in built.items() if head is not None}

        def decode(value: bytes) -> dict[str, Any]:
            if (quick := heads.get(value[: _HEADER.size])) is not None:
                try:
                    found: dict[str, Any] = quick(value)
                    return found
                except UNUSUAL:
                    pass
            return self.decode(value)

        return decode

    def _writer_of(self, value: bytes) -> Any:
        if len(value) < _HEADER.size or value[0] != 0:
            raise Undecodable(
                "undecodable",
                "The value does not start with Confluent's header (a zero byte and a schema id).",
            )
        number = _HEADER.unpack_from(value)[1]
        if number in self._writers:
            return self._writers[number]
        version = self._catalog.by_id(number)
        if version is not None and version.name == self.name:  # a registry has just told
            self._learn(number, version, self._plain(self._latest_version))
            return self._writers[number]
        what = f"is {version}, not {self.name}" if version else "is not one that Touchline knows"
        raise Undecodable("unknown_schema", f"The schema id {number} {what}.")
