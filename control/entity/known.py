"""What is known of an entity, and how new that is."""

from typing import Generic, NamedTuple

from control.entity.types import S, Stamp


class Known(NamedTuple, Generic[S]):
    """What is known of a key."""

    #: None: there is none, or no more.
    state: S | None
    stamp: Stamp
    #: In which partitions records of it lie.
    partitions: tuple[int, ...] = ()
    #: Whether a tombstone without a stamp is the last record of it.
    removed_by_hand: bool = False
    #: How large its records are.
    size: int = 0
