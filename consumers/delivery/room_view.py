"""What one viewer may see of a room's stream: only that, and nothing after the event that takes them out.

Whoever is at the head sees all that comes, until a change of the room ends it; whoever is behind is given
the events of their own times only.
"""

from typing import Any, Final

import msgspec

from consumers.delivery.events import Events
from consumers.transport.frames import event_frame, parts_of, payload_of
from control.rooms.membership import Spans

_CHANGE: Final = b'"type":"room"'
_ENDS: Final = frozenset({"removed", "left", "deleted"})


class _Data(msgspec.Struct):
    what: str = ""
    users: list[str] = []


class _Change(msgspec.Struct):
    seq: int = 0
    type: str = ""
    members_at: int = 0
    data: Any = None


_change: Final = msgspec.json.Decoder(_Change).decode


def taken_out(body: bytes) -> tuple[int, frozenset[str]]:
    """The seq of a change of a room, and whom it has taken out."""
    try:
        change = _change(body)
        data = msgspec.convert(change.data, _Data)
    except (msgspec.MsgspecError, ValueError):
        return 0, frozenset()
    gone = change.type == "room" and data.what in _ENDS
    return change.seq, frozenset(data.users) if gone else frozenset()


def members_at_of(frame: bytes) -> int:
    """The change as of which an event counts, of its frame."""
    try:
        return _change(payload_of(frame)).members_at
    except (msgspec.MsgspecError, ValueError):
        return 0


class RoomView:
    """A viewer's. `spans` is what was theirs to read when they came; `as_of` the room's change of then."""

    def __init__(self, user: str, spans: Spans, as_of: int) -> None:
        self.user, self.spans, self.as_of = user, spans, as_of

    def skip(self, position: int) -> int:
        """Where to go on after a place."""
        return self.spans.skip(position)

    def shown(self, events: Events) -> tuple[Events, bool]:
        """Those that the viewer may see, and whether they are taken out by the last one."""
        seqs: list[int] = []
        frames: list[bytes] = []
        hidden = False
        for seq, frame in zip(events.seqs, events.frames, strict=True):
            if seq not in self.spans:
                hidden = True
                continue
            # The event before is not theirs: that there was one is not said.
            frames.append(event_frame(0, parts_of(frame)[1]) if hidden else frame)
            seqs.append(seq)
            hidden = False
            if seq > self.as_of and _CHANGE in frame and self.user in taken_out(payload_of(frame))[1]:
                return Events(seqs, frames), True
        return Events(seqs, frames), False
