"""Who moderates a channel: whoever administers it, and the owner and moderators of a room."""

from typing import Final

from control.rooms.changes import not_found
from control.rooms.service import Who
from gateway.context import Context
from kernel.access.tokens import Action
from kernel.access.users import ROOM
from kernel.errors import TouchlineError

_RANKS: Final = ("owner", "moderator")


async def must_lead(
    context: Context, who: Who, channel: str, *, over: str | None = None, action: Action = "publish"
) -> None:
    """Raise `forbidden` where they may not moderate this channel; `not_found` for strangers of a room.

    `action` is what the token has to allow on a room: to moderate it is to post there, to look is to read.

    `over` a user: of a room's leaders only the owner is above moderators.
    """
    rooms, grants = context.control_state.rooms, who.grants
    name = channel.removeprefix(ROOM)
    if grants.allows("admin", channel):
        if name != channel and rooms.room(name) is None:
            await rooms.fresh()
            if rooms.room(name) is None:
                raise not_found(name)
        return
    if name == channel:
        raise TouchlineError("forbidden", f"Only who administers {channel} moderates it.")
    who.must(action, name)
    room = await rooms.seen_by(grants, name)
    me = room.member(grants.user)
    if me is None or me.role not in _RANKS:
        raise TouchlineError("forbidden", "Only the owner and the moderators of a room moderate it.")
    them = None if over is None else room.member(over)
    if them is not None and them.role in _RANKS and (me.role != "owner" or them.role == "owner"):
        raise TouchlineError("forbidden", "Only the owner of a room mutes or bans its moderators.")
