"""Of a location stream only where everybody is now counts: of several events of one sender, the latest."""

from collections.abc import Sequence


def sender_in(frame: bytes) -> bytes:
    """The sender's bytes in an event's frame, empty where it names none.

    The worker renders `sender` before `data`, and a quote within a string is escaped: so the first raw
    match is the field, and nothing that a producer writes can pass for another's.
    """
    head = frame.partition(b',"data":')[0]
    return head.partition(b'"sender":"')[2].partition(b'","')[0]


def latest_of_each(frames: Sequence[bytes]) -> list[bytes]:
    """The last frame of every sender, in the order in which they came."""
    return [frames[place] for place in latest_places(frames)]


def latest_places(frames: Sequence[bytes]) -> list[int]:
    """Where among the frames the last one of every sender is."""
    if len(frames) < 2:
        return list(range(len(frames)))
    kept: dict[bytes, int] = {}
    for place, frame in enumerate(frames):
        sender = sender_in(frame)
        kept.pop(sender, None)
        kept[sender] = place
    return list(kept.values())
