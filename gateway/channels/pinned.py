"""What is pinned in a chat, as whoever asks may see it now: for those who come after it was pinned."""

from typing import Any

import msgspec

from control.rooms.membership import ALL
from control.rooms.state import is_room
from gateway.context import Context
from kernel.access.tokens import Grants
from kernel.clock import to_rfc3339
from kernel.errors import TouchlineError
from kernel.log.positions import Stream, split_lane


class _Shown(msgspec.Struct):
    seq: int = 0
    retracted: bool = False


async def pinned_in(context: Context, grants: Grants, stream: Stream) -> dict[str, Any] | None:
    """The pinned message of a chat; None where there is none, where it was taken back, where retention has
    taken it, and where it was said before somebody came into the room."""
    state, channel = context.control_state, split_lane(stream.channel)[0]
    record = state.channel(channel)
    pinned = record.pinned
    if pinned is None or not pinned.target:
        return None
    try:
        body = await context.history.find(Stream(stream.kind, channel), pinned.target, record.lanes)
    except TouchlineError:
        return None  # how the stream goes is told all the same
    if body is None:
        return None
    found = msgspec.json.decode(body, type=_Shown)
    readable = state.rooms.readable(grants, channel) if is_room(stream) else ALL
    if found.retracted or found.seq not in readable:
        return None
    return {
        "order": pinned.order,
        "target": pinned.target,
        "by": pinned.by,
        "at": to_rfc3339(pinned.at),
        "event": msgspec.json.decode(body),
    }
