"""The streams that have a ring at an edge: found by fan-out key, and by the channel they are of."""

from collections import OrderedDict
from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING, Final

from consumers.delivery.ring import Ring
from kernel.access.users import ALERT, ROOM
from kernel.log.positions import OVERVIEW, Kind, split_lane

if TYPE_CHECKING:
    from consumers.delivery.hub import Audience

_ROOMS: Final = f"{Kind.CHAT}:{ROOM}"
_ALERTS: Final = f"{Kind.BROADCAST}:{ALERT}"


class Feed:
    """One stream as one shard carries it: its ring, and who hears it."""

    __slots__ = ("audiences", "conflates", "copies", "in_history", "key", "passed", "ring", "room", "stream")

    def __init__(self, stream: str, key: bytes, ring: Ring, *, conflates: bool) -> None:
        self.stream = stream
        self.key = key
        self.ring = ring
        self.conflates = conflates
        #: Whether it is a room's: its changes say who hears what follows.
        self.room = stream.startswith(_ROOMS)
        #: Whether its events are copies of others, which may be taken back.
        self.copies = stream.startswith(_ALERTS)
        #: What its ring does not hold any more is to be had from history.
        self.in_history = stream != OVERVIEW
        #: An event that came by here and was not kept; 0: none. History may not have it yet.
        self.passed = 0
        self.audiences: list[Audience] = []


class FeedTable:
    """Whoever looks for one channel's, as each retraction does, does not walk over all of them."""

    def __init__(self) -> None:
        #: Fan-out key -> stream -> feed; least recently used key first.
        self._by_key: OrderedDict[bytes, dict[str, Feed]] = OrderedDict()
        #: The same by channel, lanes and shards of it together; a list, as nearly all have one or two.
        self._by_channel: dict[str, list[Feed]] = {}
        self._copies: dict[Feed, None] = {}

    def __iter__(self) -> Iterator[Feed]:
        return (feed for feeds in self._by_key.values() for feed in feeds.values())

    def get(self, key: bytes, stream: str) -> Feed | None:
        feeds = self._by_key.get(key)
        return feeds.get(stream) if feeds is not None else None

    def keys(self) -> list[bytes]:
        """Least recently used first."""
        return list(self._by_key)

    def of_key(self, key: bytes) -> list[Feed]:
        return list(self._by_key.get(key, {}).values())

    def of_channel(self, channel: str) -> Collection[Feed]:
        """Of a channel and its lanes, whatever the kind."""
        return self._by_channel.get(channel, ())

    def of_copies(self) -> Collection[Feed]:
        """Those whose events are copies of others."""
        return self._copies

    def add(self, feed: Feed) -> None:
        self._by_key.setdefault(feed.key, {})[feed.stream] = feed
        self._by_channel.setdefault(base_of(feed), []).append(feed)
        if feed.copies:
            self._copies[feed] = None

    def used(self, key: bytes) -> None:
        self._by_key.move_to_end(key)

    def remove(self, feed: Feed) -> bool:
        """Forget one; whether it was the last of its key."""
        feeds = self._by_key.get(feed.key, {})
        if feeds.pop(feed.stream, None) is not None:
            siblings = self._by_channel[base := base_of(feed)]
            siblings.remove(feed)
            if not siblings:
                del self._by_channel[base]
            self._copies.pop(feed, None)
        if feeds:
            return False
        self._by_key.pop(feed.key, None)
        return True


def base_of(feed: Feed) -> str:
    """The channel that a stream is of, or of which it is a lane."""
    return split_lane(feed.stream.partition(":")[2])[0]
