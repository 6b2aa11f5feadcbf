"""Reads a fan-out record by hand: `stream, seq, server_ts`, then what an edge decides by, then `body`.

An edge reads every record, and parses no body here: by hand that takes 1 us, by fastavro 2.6. Records of the
first version have no type and no sender: theirs is looked for in the body. Any other schema id goes the slow
way, through the codec. tests/consumers/ proves that all ways read the same.
"""

from collections.abc import Callable
from typing import Final, NamedTuple

import msgspec

from consumers.delivery.conflation import sender_in
from kernel.settings.reading import Settings
from schemas.catalog import Version
from schemas.codec import Undecodable
from schemas.registry import catalog_for, codec_for

_HEADER: Final = 5  # magic byte, schema id
#: A seq of the first 63 epochs that has seven bytes, and a time of 1970 to 2039 in six: all but the last of
#: each have the bit that says that more follow.
_USUAL: Final = 13
_MORE: Final = int.from_bytes(b"\x80" * _USUAL)
_SEVEN_AND_SIX: Final = int.from_bytes(b"\x80" * 6 + b"\0" + b"\x80" * 5 + b"\0")
_text: Final = msgspec.json.Decoder(str).decode


class FanoutRecord(NamedTuple):
    """An event as the workers fan it out."""

    stream: str
    seq: int
    server_ts: int
    body: bytes
    type: str = ""
    sender: str | None = None
    #: The event's number in its stream, where its channel is numbered.
    n: int | None = None
    #: The id of the event that it is about.
    target: str | None = None


class UnreadableRecord(ValueError):  # noqa: N818 - it reads as what it says
    """The record's bytes are not a fan-out record."""


Decode = Callable[[bytes], FanoutRecord]


def reader(schema_id: int, slow: Decode, *, first_id: int = -1) -> Decode:  # noqa: PLR0915 - for read
    """A function that reads records of this id and of the first version's quickly, others by `slow`."""
    known = b"\x00" + schema_id.to_bytes(4)
    first = b"" if first_id < 0 else b"\x00" + first_id.to_bytes(4)
    quick, new, from_bytes = frozenset({known, first} - {b""}), tuple.__new__, int.from_bytes

    def read(value: bytes) -> FanoutRecord:  # noqa: PLR0912 - straight: each call would cost a tenth of it
        header = value[:_HEADER]
        if header not in quick:
            return slow(value)
        sender = target = n = None
        type_ = ""
        try:
            # Lengths are nearly always one byte: a call for each would cost more than reading the rest.
            length, at = value[_HEADER], _HEADER + 1
            if length & 128:
                length, at = _varint(value, _HEADER)
                end = at + length
            else:
                end = at + (length >> 1)
            stream = str(value[at:end], "utf-8")
            numbers = value[end : end + _USUAL]
            if from_bytes(numbers) & _MORE == _SEVEN_AND_SIX:
                a, b, c, d, e, f, g, h, i, j, k, o, p = numbers
                seq = (a & 127 | (b & 127) << 7 | (c & 127) << 14 | (d & 127) << 21 | (e & 127) << 28) >> 1
                seq |= (f & 127) << 34 | g << 41
                server_ts = (h & 127 | (i & 127) << 7 | (j & 127) << 14 | (k & 127) << 21) >> 1
                server_ts |= (o & 127) << 27 | p << 34
                at = end + _USUAL
            else:
                seq, at = _varint(value, end)
                server_ts, at = _varint(value, at)
            if header == known:
                length = value[at]
                if length & 128:
                    return slow(value)
                end = at + 1 + (length >> 1)
                type_ = str(value[at + 1 : end], "utf-8")
                if value[end]:
                    length, at = _varint(value, end + 1)
                    sender = str(value[at : at + length], "utf-8")
                    at += length
                else:
                    at = end + 1
                if value[at] or value[at + 1]:
                    n, target, at = _rare(value, at)
                else:
                    at += 2
            length, at = _varint(value, at)
        except (IndexError, UnicodeDecodeError) as error:
            raise UnreadableRecord("The record ends too early, or a text of it is not UTF-8.") from error
        body = value[at : at + length]
        if length < 2 or len(body) != length:
            raise UnreadableRecord("The record's body is cut off.")
        if header == first:
            sender = sender_of(body)
        # Without the class's own constructor, which costs as much as half of this.
        return new(FanoutRecord, (stream, seq, server_ts, body, type_, sender, n, target))

    return read


def sender_of(body: bytes) -> str | None:
    """The sender that a body names, as records of the first version have it."""
    found = sender_in(body)
    return _text(b'"%b"' % found) if found else None


def reader_for(settings: Settings) -> Decode:
    """A reader by the schema ids of these settings."""
    codec = codec_for(settings, "fanout")

    def slow(value: bytes) -> FanoutRecord:
        try:
            record = codec.decode(value)
        except Undecodable as error:
            raise UnreadableRecord(error.message) from error
        sender = record["sender"] if record["type"] else sender_of(record["body"])
        return FanoutRecord(
            *(record["stream"], record["seq"], record["server_ts"], record["body"]),
            *(record["type"], sender, record["n"], record["target"]),
        )

    return reader(codec.schema_id, slow, first_id=catalog_for(settings).id_of(Version("fanout", 1)))


def _rare(value: bytes, at: int) -> tuple[int | None, str | None, int]:
    """`n` and `target`, where a record has one of them; and where they end."""
    n = target = None
    if value[at]:
        n, at = _varint(value, at + 1)
    else:
        at += 1
    if value[at]:
        length, at = _varint(value, at + 1)
        target = str(value[at : at + length], "utf-8")
        return n, target, at + length
    return n, target, at + 1


def _varint(value: bytes, at: int) -> tuple[int, int]:
    """A zigzag varint that is not negative (no field of this schema is), and where it ends."""
    byte = value[at]
    at += 1
    number, shift = byte & 127, 7
    while byte & 128:
        byte = value[at]
        at += 1
        number |= (byte & 127) << shift
        shift += 7
    return number >> 1, at
