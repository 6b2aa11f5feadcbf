"""Which fences each user is in, as the worker of their positions has told of it: touchline.inside.

It is written before the offsets are committed that it rests on, as touchline.counts is: who takes a partition
over knows who is where, and tells of nobody twice that they came.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from control.entity.types import EntityType, Stamp
from kernel.errors import TouchlineError
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

    def read(value: bytes) -> Inside:
        try:
            decoded: Mapping[str, Any] = codec.decode(value)
            return msgspec.convert(decoded, Inside)
        except msgspec.ValidationError as error:
            raise TouchlineError(
                "undecodable", f"The record says what no worker has written: {error}."
            ) from None

    return EntityType(
        name="inside",
        topic=topic_names(settings).inside,
        encode=lambda inside: codec.encode(msgspec.to_builtins(inside)),
        decode=read,
        stamp_of=lambda inside: Stamp(inside.seq),
        with_stamp=lambda inside, _: inside,
    )
