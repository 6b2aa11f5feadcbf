"""Hearing all channels that a user follows, for somebody who waits for what comes there."""

from consumers.feeds.broadcasts import Broadcasts, Ear
from control.entity.types import PAIR
from control.feeds.follows import Follow
from control.state import ControlState
from kernel.access.users import name_in_channel


class Following:
    """They are read once; what changes is heard of, one by one: who follows thousands may change their mind
    often, on a hundred connections."""

    __slots__ = ("_broadcasts", "_changed_meanwhile", "_channels", "_ear", "_ended", "_state", "_user")

    def __init__(self, state: ControlState, broadcasts: Broadcasts, user: str, ear: Ear) -> None:
        self._state, self._broadcasts, self._user, self._ear = state, broadcasts, user, ear
        self._channels: set[str] = set()
        #: While they are read: what is newer than that. None: they were read.
        self._changed_meanwhile: set[str] | None = set()
        self._ended = False

    async def begin(self) -> None:
        """Returns when all of them are heard."""
        self._state.feeds.follows.watch_pairs(name_in_channel(self._user), self._changed)
        found = await self._state.feeds.channels_of(self._user)
        newer, self._changed_meanwhile = self._changed_meanwhile or set(), None
        for channel in found if not self._ended else ():
            if channel not in newer:
                self._hear(channel)

    def end(self) -> None:
        """No more of any."""
        self._ended = True
        self._state.feeds.follows.unwatch_pairs(name_in_channel(self._user), self._changed)
        for channel in self._channels:
            self._broadcasts.ignore(channel, self._ear)
        self._channels.clear()

    def _changed(self, key: bytes, follow: Follow | None) -> None:
        channel = key.partition(PAIR)[2].decode()
        if self._changed_meanwhile is not None:
            self._changed_meanwhile.add(channel)
        if follow is not None:
            self._hear(channel)
        elif channel in self._channels:
            self._channels.discard(channel)
            self._broadcasts.ignore(channel, self._ear)

    def _hear(self, channel: str) -> None:
        self._channels.add(channel)
        self._broadcasts.listen(channel, self._ear)
