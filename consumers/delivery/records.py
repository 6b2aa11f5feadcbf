"""Reads a fan-out record: `stream, seq, server_ts, body`, by hand.

An edge reads every record, and needs four fields of a schema that it knows: by hand 1.0 us, by fastavro 2.6
us. A record with another schema id goes the slow way, through the codec. tests/consumers/ proves both read
the same.
"""

from collections.abc import Callable
from typing import Final, NamedTuple

from kernel.settings import Settings
from schemas.codec import Undecodable
from schemas.registry import codec_for

_HEADER: Final = 5  # magic byte, schema id


class FanoutRecord(NamedTuple):
    """An event as the workers fan it out."""

    stream: str
    seq: int
    server_ts: int
    body: bytes


class UnreadableRecord(ValueError):  # noqa: N818 - it reads as what it says
    """The record's bytes are not a fan-out record."""


Decode = Callable[[bytes], FanoutRecord]


def reader(schema_id: int, slow: Decode) -> Decode:
    """A function that reads records of this schema id quickly, and others by `slow`."""
    known = b"\x00" + schema_id.to_bytes(4)

    def read(value: bytes) -> FanoutRecord:
        if value[:_HEADER] != known:
            return slow(value)
        try:
            length, at = _varint(value, _HEADER)
            end = at + length
            stream = str(value[at:end], "utf-8")
            seq, at = _varint(value, end)
            server_ts, at = _varint(value, at)
            length, at = _varint(value, at)
        except (IndexError, UnicodeDecodeError) as error:
            raise UnreadableRecord("The record ends too early, or its stream is not UTF-8.") from error
        body = value[at : at + length]
        if length < 2 or len(body) != length:
            raise UnreadableRecord("The record's body is cut off.")
        return FanoutRecord(stream, seq, server_ts, body)

    return read


def reader_for(settings: Settings) -> Decode:
    """A reader by the schema ids of these settings."""
    codec = codec_for(settings, "fanout")

    def slow(value: bytes) -> FanoutRecord:
        try:
            record = codec.decode(value)
        except Undecodable as error:
            raise UnreadableRecord(error.message) from error
        return FanoutRecord(record["stream"], record["seq"], record["server_ts"], record["body"])

    return reader(codec.schema_id, slow)


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
