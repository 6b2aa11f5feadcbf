"""What of the channels that a user follows is theirs to see now: by their token, and by the channels."""

import asyncio
from typing import Final

from control.state import ControlState
from history.feed import Followed
from kernel.access.tokens import Grants
from kernel.clock import Clock
from kernel.errors import TouchlineError
from kernel.log.positions import Kind, Stream

#: A turn of whoever looks through many channels.
_TURN_S: Final = 0.005


async def followed_by(
    state: ControlState, grants: Grants, clock: Clock, *, types: frozenset[str] | None = None
) -> dict[str, Followed]:
    """The channels with what their feeds show, of those that may be read; with room for others in between.

    `types`: only these. A channel that was closed since it was followed shows nothing.
    """
    now_ms, found = clock.now_ms(), dict[str, Followed]()
    until = clock.monotonic() + _TURN_S
    for channel in await state.feeds.channels_of(grants.user):
        one = in_feed(state, grants, channel, now_ms)
        shown = frozenset[str]() if one is None else one.types if types is None else one.types & types
        if one is not None and shown:
            found[channel] = one._replace(types=shown)
        if clock.monotonic() >= until:
            await asyncio.sleep(0)
            until = clock.monotonic() + _TURN_S
    return found


def in_feed(state: ControlState, grants: Grants, channel: str, now_ms: int) -> Followed | None:
    """What of a channel this user's feed shows; None: nothing."""
    if not grants.allows("history", str(Stream(Kind.BROADCAST, channel))):
        return None
    try:
        if not state.may_read(grants, channel):
            return None
    except TouchlineError:
        return None  # not known yet
    types = state.channel(channel).settings.feed
    return Followed(frozenset(types), state.retention.kept_since(channel, now_ms)) if types else None
