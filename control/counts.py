"""How far each numbered stream is counted, as entities: a record a stream in touchline.counts.

Whoever owns a stream's ingest partition writes them, each before the offsets are committed that it rests on;
who takes the partition over goes on from there. Nobody else asks.
"""

from typing import Any

import msgspec

from control.entity.types import EntityType, Stamp
from kernel.errors import TouchlineError
from kernel.log.positions import MAX_SEQ
from kernel.log.topics import topic_names
from kernel.settings.reading import Settings
from schemas.codec import Codec
from schemas.registry import codec_for


class Count(msgspec.Struct, frozen=True):
    """The last number that was given in a stream, and the place of the event that has it."""

    stream: str
    n: int = 0
    seq: int = 0

    def after(self, n: int, seq: int) -> "Count":
        """Once the event at `seq` has the number `n`. One that was counted before changes nothing."""
        return Count(self.stream, max(n, self.n), max(seq, self.seq))


def count_type(settings: Settings) -> EntityType[Count]:
    """Of two records of a stream the one with the higher place holds: that is its revision."""
    codec = codec_for(settings, "count")
    return EntityType(
        name="counts",
        topic=topic_names(settings).counts,
        encode=lambda count: codec.encode(msgspec.structs.asdict(count)),
        decode=lambda value: from_avro(codec, value),
        stamp_of=lambda count: Stamp(count.seq),
        with_stamp=lambda count, _: count,
    )


def from_avro(codec: Codec, value: bytes) -> Count:
    """A record of the topic. Raises `undecodable`, also for what no worker has counted."""
    read: dict[str, Any] = codec.decode(value)
    if not (0 < read["n"] <= MAX_SEQ and 0 <= read["seq"] <= MAX_SEQ):
        raise TouchlineError("undecodable", "The record's numbers are none that a stream has.")
    return Count(read["stream"], read["n"], read["seq"])
