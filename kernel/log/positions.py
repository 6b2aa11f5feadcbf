"""Names and numbers of an event's place: streams, sequence numbers, ids, partitions, shards.

All of them are pure functions of the record in Kafka, so that reading a record again gives the same event.
"""

import re
from enum import StrEnum
from typing import Final, NamedTuple

from kernel.access.users import KEPT

MAX_CHANNEL: Final = 128
#: What a channel may be called, in words that JavaScript reads alike.
CHANNEL: Final = re.compile(rf"[A-Za-z0-9._~-]{{1,{MAX_CHANNEL}}}")
_OFFSET_BITS: Final = 43
#: Bits of the offset in an event's id.
ID_BITS: Final = 24
MAX_SEQ: Final = 2**53 - 1  # the largest integer that JavaScript holds exactly
MAX_EPOCH: Final = 2 ** (53 - _OFFSET_BITS) - 1


class Kind(StrEnum):
    """What an event is about. Its order here is part of the ids: append only."""

    BROADCAST = "broadcast"
    CHAT = "chat"
    LOCATION = "location"


_KIND_NUMBER: Final = {kind: number for number, kind in enumerate(Kind)}


def is_channel(text: str) -> bool:
    """Whether `text` is a channel's name."""
    return CHANNEL.fullmatch(text) is not None


class Stream(NamedTuple):
    """`<kind>:<channel>`, the unit of order."""

    kind: Kind
    channel: str

    def __str__(self) -> str:
        return f"{self.kind}:{self.channel}"

    @classmethod
    def parse(cls, text: str) -> "Stream":
        """Read `chat:wc26-final`. Raises ValueError with a sentence that says what is wrong."""
        kind, colon, channel = text.partition(":")
        if not colon:
            raise ValueError(f"{text[:150]!r} is not a stream: write <kind>:<channel>, like chat:wc26-final")
        if kind not in _KIND_NUMBER:
            raise ValueError(f"{kind[:40]!r} is not a kind of stream: it is broadcast, chat or location")
        if not is_channel(channel):
            raise ValueError(
                f"{channel[:150]!r} is not a channel's name: 1 to 128 of the characters A-Z a-z 0-9 . _ ~ -"
            )
        return cls(Kind(kind), channel)


# ── lanes: a hot channel spread over n streams ───────────────────────────────────────────────────────


MAX_LANES: Final = 64


def lane(channel: str, number: int) -> str:
    """The name of a spread channel's lane: `final~3`."""
    return f"{channel}~{number}"


def choose_lane(lanes: int, sender: str | None, key: str | None) -> int | None:
    """Which lane of a spread channel takes an event: its sender's, whose events keep their order.

    Without a sender it is its key's, so that what is sent again meets the first. None: any, in turn.
    """
    who = sender if sender is not None else key
    return None if who is None else partition_of(who, lanes)


def spread(stream: Stream, lanes: int, *, sender: str | None, key: str | None, turn: int = 0) -> Stream:
    """The stream that takes an event posted to a channel with so many lanes; 0: it is not spread.

    Broadcasts stay together, because their order is their meaning; and so does what names a lane itself.
    """
    if not lanes or stream.kind is Kind.BROADCAST or split_lane(stream.channel)[1] is not None:
        return stream
    if stream.channel.startswith(KEPT):
        return stream
    number = choose_lane(lanes, sender, key)
    return Stream(stream.kind, lane(stream.channel, turn % lanes if number is None else number))


def lanes_of(stream: Stream, lanes: int) -> list[Stream]:
    """A stream with the lanes of its channel, whichever of them it is itself."""
    base = Stream(stream.kind, split_lane(stream.channel)[0])
    return [base, *(Stream(stream.kind, lane(base.channel, number)) for number in range(lanes))]


def split_lane(channel: str) -> tuple[str, int | None]:
    """`final~3` -> (`final`, 3); a name that is no lane's -> (name, None). Kept channels have none."""
    if channel.rpartition(":")[2].startswith(KEPT):
        return channel, None
    base, tilde, number = channel.rpartition("~")
    if tilde and base and number.isascii() and number.isdigit() and (number == "0" or number[0] != "0"):
        return base, int(number)
    return channel, None


# ── sequence numbers: epoch and ingest offset ────────────────────────────────────────────────────────


def make_seq(epoch: int, offset: int) -> int:
    """`epoch << 43 | offset`: rises strictly within a stream, and fits JavaScript's integers."""
    return epoch << _OFFSET_BITS | offset


def split_seq(seq: int) -> tuple[int, int]:
    """A sequence number's (epoch, ingest offset)."""
    return seq >> _OFFSET_BITS, seq & ((1 << _OFFSET_BITS) - 1)


def make_id(kind: Kind, append_ms: int, partition: int, offset: int) -> str:
    """The event's snowflake: append time, kind, partition, low bits of the offset.

    24 bits of offset, because the broker stamps one time on a whole batch: with the 12 bits that
    snowflakes usually have, two events of one batch could get the same id. Until the year 2085
    all ids have 24 digits, so they sort as text too.
    """
    return str(append_ms << 38 | _KIND_NUMBER[kind] << 36 | (partition & 0xFFF) << 24 | offset & 0xFFFFFF)


def may_hold(partition: int, event_id: str) -> bool:
    """Whether an event of this id may lie in an ingest partition of this number."""
    return int(event_id) >> 24 & 0xFFF == partition & 0xFFF


def kind_of_id(event_id: str) -> Kind | None:
    """The kind in an event's id; None where there is none such. Raises ValueError for what is no number."""
    number = int(event_id) >> 36 & 3
    return next((kind for kind, one in _KIND_NUMBER.items() if one == number), None)


def time_of_id(event_id: str) -> int:
    """The append time in an event's id. Raises ValueError for what is no number."""
    return int(event_id) >> 38


# ── partitions and shards ────────────────────────────────────────────────────────────────────────────


class Shard(NamedTuple):
    """One share of a channel's viewers, in one version of its sharding."""

    channel: str
    version: int
    number: int

    @property
    def key(self) -> str:
        """The Kafka key on the fan-out topics: `channel#version#shard`."""
        return f"{self.channel}#{self.version}#{self.number}"

    @classmethod
    def from_key(cls, key: str) -> "Shard":
        """Read a fan-out key. Raises ValueError."""
        channel, version, number = key.split("#")
        return cls(channel, int(version), int(number))


# ── the operators' figures ───────────────────────────────────────────────────────────────────────────

#: They come as a stream of their own: of no kind and in no channel, neither posted to nor kept in history.
OVERVIEW: Final = "ops:overview"
#: No channel's name has a `$`, so none shares this key.
OVERVIEW_SHARD: Final = Shard("$ops", 1, 0)


def murmur2(data: bytes) -> int:
    """The hash of Kafka's Java client (seed 0x9747b28c), as an unsigned 32-bit integer."""
    length, m = len(data), 0x5BD1E995
    h = 0x9747B28C ^ length
    whole = length & ~3
    for i in range(0, whole, 4):
        k = int.from_bytes(data[i : i + 4], "little") * m & 0xFFFFFFFF
        k = (k ^ k >> 24) * m & 0xFFFFFFFF
        h = h * m & 0xFFFFFFFF ^ k
    if length & 3:
        h = (h ^ int.from_bytes(data[whole:], "little")) * m & 0xFFFFFFFF
    h = (h ^ h >> 13) * m & 0xFFFFFFFF
    return h ^ h >> 15


def partition_of(key: str, partitions: int) -> int:
    """The partition in which a key's records lie, as Kafka's default partitioner has it."""
    return (murmur2(key.encode()) & 0x7FFFFFFF) % partitions
