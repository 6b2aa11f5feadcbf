"""Of a location stream only where everybody is now counts: of several events of one sender, the latest."""

from collections.abc import Hashable, Sequence


def sender_in(frame: bytes) -> bytes:
    """The sender's bytes in an event's frame, empty where it names none: for what came without its record.

    The worker renders `sender` before `data`, and a quote within a string is escaped: so the first raw
    match is the field, and nothing that a producer writes can pass for another's.
    """
    head = frame.partition(b',"data":')[0]
    return head.partition(b'"sender":"')[2].partition(b'","')[0]


def latest_places(senders: Sequence[Hashable]) -> list[int]:
    """Where among these events' senders the last event of each is, in their order."""
    return sorted({sender: place for place, sender in enumerate(senders)}.values())
