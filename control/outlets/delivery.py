"""How far a receiver has a partition of events, as touchline.deliveries keeps it of those that are behind.

Of a partition that is read up to an offset, all events before it were delivered to every receiver of which
there is no record. Who takes a partition over reads each record's receiver from where it is.
"""

from typing import Any

import msgspec

from control.entity.plain import read_state
from control.entity.types import EntityType, Stamp, pair_key
from kernel.log.topics import topic_names
from kernel.settings.reading import Settings
from schemas.registry import codec_for


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """The value of a record in touchline.deliveries."""

    receiver: str
    topic: str
    partition: int
    topic_id: str = ""
    #: Of the first event that it does not have.
    offset: int = 0
    revision: int = 0


def delivery_key(receiver: str, topic: str, partition: int) -> bytes:
    """The key of a receiver's record of a partition."""
    return pair_key(receiver, f"{topic}-{partition}")


def delivery_type(settings: Settings) -> EntityType[Delivery]:
    """Of two records of a key the later one holds: whoever has the partition writes it."""
    codec = codec_for(settings, "delivery")

    def make(read: dict[str, Any]) -> Delivery:
        return msgspec.convert(read, Delivery)

    return EntityType(
        name="deliveries",
        topic=topic_names(settings).deliveries,
        encode=lambda delivery: codec.encode(msgspec.to_builtins(delivery)),
        decode=lambda value: read_state(make, codec.decode(value)),
        stamp_of=lambda delivery: Stamp(delivery.revision),
        with_stamp=lambda delivery, stamp: msgspec.structs.replace(delivery, revision=stamp.revision),
    )
