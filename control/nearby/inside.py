"""Which fences each user is in, as the worker of their positions has told of it: touchline.inside.

It is written before the offsets are committed that it rests on, as touchline.counts is: who takes a partition
over knows who is where, and tells of nobody twice that they came.
"""

import msgspec

from control.entity.structs import written_type
from control.entity.types import EntityType, Stamp
from kernel.log.topics import topic_names
from kernel.settings.reading import Settings


class Inside(msgspec.Struct, frozen=True, kw_only=True):
    """The value of a record in touchline.inside."""

    user: str
    fences: tuple[str, ...] = ()
    #: The seq of the position that changed it last: that is its revision.
    seq: int = 0


def inside_type(settings: Settings) -> EntityType[Inside]:
    """Of two records of a user the one with the higher seq holds."""
    topic = topic_names(settings).inside
    return written_type(settings, "inside", topic, "inside", Inside, stamp_of=lambda one: Stamp(one.seq))
