"""What of the channels that a user follows is theirs to see now: by their token, and by the channels."""

from typing import Final

from control.state import ControlState
from history.feed import Followed
from kernel.access.tokens import Grants
from kernel.clock import Clock
from kernel.errors import TouchlineError
from kernel.fairness.long_work import LongWork
from kernel.log.positions import Kind, Stream, lanes_of

#: Streams of one feed, lanes counted: as many as the index takes in one query, and some.
_MOST_STREAMS: Final = 20_000


async def followed_by(
    state: ControlState, grants: Grants, clock: Clock, *, types: frozenset[str] | None = None
) -> dict[str, Followed]:
    """The channels and their lanes with what their feeds show, of those that may be read; with room for
    others in between. Raises `too_many`.

    `types`: only these. A channel that was closed since it was followed shows nothing.
    """
    now_ms, found = clock.now_ms(), dict[str, Followed]()
    work = LongWork(clock)
    for channel in await state.feeds.channels_of(grants.user):
        one = in_feed(state, grants, channel, now_ms)
        shown = frozenset[str]() if one is None else one.types if types is None else one.types & types
        if one is not None and shown:
            streams = lanes_of(Stream(Kind.BROADCAST, channel), state.layout(channel).lanes)
            found |= dict.fromkeys((stream.channel for stream in streams), one._replace(types=shown))
            if len(found) > _MOST_STREAMS:
                raise TouchlineError(
                    "too_many",
                    f"The channels that you follow have more than {_MOST_STREAMS} streams, with their lanes."
                    " Follow fewer of those with lanes.",
                )
        await work.let_by()
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
