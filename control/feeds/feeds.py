"""What a role asks of follows, by its tables: whom a user follows, how many follow a channel."""

import asyncio
from collections.abc import Iterator
from typing import Final

from control.entity.tables import Tables
from control.entity.types import AnyType, prefix_of
from control.entity.view import View
from control.feeds.follows import Follow, count_key, follow_key, followers_prefix
from control.feeds.table import follow_type
from kernel.access.users import name_in_channel
from kernel.settings.reading import Settings

#: Pairs that are read from the table at once.
AT_ONCE: Final = 500


class Feeds:
    """The follows that a role knows of."""

    def __init__(self, settings: Settings) -> None:
        self._follow = follow_type(settings)
        self._tables: Tables | None = None

    @property
    def types(self) -> list[AnyType]:
        """What its tables have to have."""
        return [self._follow]

    @property
    def followed(self) -> bool:
        """Whether there are tables of them."""
        return self._tables is not None

    def open(self, tables: Tables) -> None:
        """Go by these tables."""
        self._tables = tables
        self.follows: View[Follow] = tables.view(self._follow)

    def follows_of(
        self, user: str, *, after: bytes = b"", limit: int = AT_ONCE
    ) -> list[tuple[bytes, Follow]]:
        """The channels that a user follows, in the order of their names, after one. Any thread may ask."""
        if self._tables is None:
            return []
        return self.follows.scan(prefix_of(name_in_channel(user)), after=after, limit=limit)

    def all_follows_of(self, user: str) -> Iterator[Follow]:
        """All of them."""
        after = b""
        while page := self.follows_of(user, after=after):
            after = page[-1][0]
            yield from (follow for _, follow in page)

    async def channels_of(self, user: str) -> list[str]:
        """Their names, read beside the loop: they may be thousands."""
        return await asyncio.to_thread(lambda: [follow.channel for follow in self.all_follows_of(user)])

    def follow(self, user: str, channel: str) -> Follow | None:
        """Since when a user follows a channel; None: they do not."""
        return self.follows.get(follow_key(user, channel)) if self._tables else None

    def following(self, user: str) -> int:
        """How many channels a user follows."""
        found = self.follows.get(count_key(user)) if self._tables else None
        return 0 if found is None else found.n

    def followers(self, channel: str) -> int:
        """How many users follow a channel."""
        if self._tables is None:
            return 0
        return sum(share.n for _, share in self.follows.scan(followers_prefix(channel)))
