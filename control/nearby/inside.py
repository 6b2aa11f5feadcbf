"""Which fences each user is in, as the worker of their positions has told of it: touchline.inside.

It is written before the offsets are committed that it rests on, as touchline.counts is: who takes a partition
over knows who is where, and tells of nobody twice that they came.
"""

from typing import Any

import msgspec

from control.entity.plain import read_state
from control.entity.types import EntityType, Stamp
from kernel.log.topics import topic_names
from kernel.settings.reading import Settings
from schemas.registry import codec_for


class Inside(msgspec.Struct, frozen=True, kw_only=True):
    """The value of a record in touchline.inside."""

    user: str
    fences: tuple[str, ...] = ()
    #: The seq of the position that changed it last: that is its revision.
    seq: int = 0


def inside_type(settings: Settings) -> EntityType[Inside]:
    """Of two records of a user the one with the higher seq holds."""
    codec = codec_for(settings, "inside")

    def make(read: dict[str, Any]) -> Inside:
        return msgspec.convert(read, Inside)

    return EntityType(
        name="inside",
        topic=topic_names(settings).inside,
        encode=lambda inside: codec.encode(msgspec.to_builtins(inside)),
        decode=lambda value: read_state(make, codec.decode(value)),
        stamp_of=lambda inside: Stamp(inside.seq),
        with_stamp=lambda inside, _: inside,
    )
