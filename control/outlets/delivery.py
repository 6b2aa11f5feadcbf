"""How far a receiver has a partition of events, as touchline.deliveries keeps it of those that are behind.

Of a partition that is read up to an offset, all events before it were delivered to every receiver of which
there is no record. Who takes a partition over reads each record's receiver from where it is.
"""

import msgspec

from control.entity.structs import written_type
from control.entity.types import EntityType, Stamp, pair_key
from kernel.log.topics import topic_names
from kernel.settings.reading import Settings


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
    return written_type(
        *(settings, "deliveries", topic_names(settings).deliveries, "delivery", Delivery),
        stamp_of=lambda delivery: Stamp(delivery.revision),
        with_stamp=lambda delivery, stamp: msgspec.structs.replace(delivery, revision=stamp.revision),
    )
