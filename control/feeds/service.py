"""What doors (gateway, edges) do with follows for their users. All raises TouchlineError.

A door asks by its own tables whether it can be done, gives the command, sealed, and waits until its tables
have it.
"""

import asyncio
from typing import Any

from control.commands.signed import seal
from control.feeds.feeds import Feeds
from control.feeds.follows import FOLLOW, UNFOLLOW, check_followed, follow_key, share_of, too_many
from control.rooms.service import Command, Who
from control.state import ControlState
from kernel.access.signing import Signer
from kernel.access.users import name_in_channel
from kernel.clock import to_rfc3339
from kernel.errors import TouchlineError
from kernel.log.positions import Kind, Stream


class FeedService:
    """Follows as users have them."""

    def __init__(self, state: ControlState, command: Command, signer: Signer, *, most: int) -> None:
        """`most` is how many channels a user may follow."""
        self._state, self._command, self._signer, self._most = state, command, signer, most

    @property
    def feeds(self) -> Feeds:
        """What is known of follows here."""
        return self._state.feeds

    async def follow(self, who: Who, channel: str) -> dict[str, Any]:
        """Follow a channel that one may read; returned once it is in force."""
        user = who.named()
        check_followed(channel)
        stream = str(Stream(Kind.BROADCAST, channel))
        if not who.grants.allows("subscribe", stream) or not self._state.may_read(who.grants, channel):
            raise TouchlineError("forbidden", f"{stream} is not for you to read.")
        if self.feeds.follow(user, channel) is None:
            if self.feeds.following(user) >= self._most:
                raise TouchlineError("too_many", too_many(self._most))
            await self._say(FOLLOW, user, channel)
            await self._state.rooms.until(lambda: self.feeds.follow(user, channel) is not None)
        return _shown(channel, self.feeds.follow(user, channel).since)  # type: ignore[union-attr]

    async def unfollow(self, who: Who, channel: str) -> dict[str, Any]:
        """Follow it no more."""
        user = who.named()
        if self.feeds.follow(user, channel) is None:
            await self._state.rooms.fresh()  # what was said a moment ago, elsewhere, is ended too
        if self.feeds.follow(user, channel) is not None:
            await self._say(UNFOLLOW, user, channel)
            await self._state.rooms.until(lambda: self.feeds.follow(user, channel) is None)
        return {"channel": channel, "since": None}

    async def forget(self, user: str) -> None:
        """The user follows nothing any more: their data are erased."""
        for channel in await self.feeds.channels_of(user):
            await self._say(UNFOLLOW, user, channel)
        await self._state.rooms.until(lambda: not self.feeds.follows_of(user, limit=1))

    async def followed(self, who: Who, *, after: str, limit: int) -> dict[str, Any]:
        """A page of the channels that one follows."""
        user = who.named()
        start = follow_key(user, after) if after else b""
        found = await asyncio.to_thread(self.feeds.follows_of, user, after=start, limit=limit + 1)
        rows = [follow for _, follow in found[:limit]]
        return {
            "follows": [_shown(follow.channel, follow.since) for follow in rows],
            "next": rows[-1].channel if len(found) > limit else None,
        }

    async def _say(self, command: str, user: str, channel: str) -> None:
        key = share_of(name_in_channel(user))
        most = self._most if command == FOLLOW else 0
        said = seal(command, key, {"user": user, "channel": channel, "most": most}, self._signer)
        await self._command(key, command, said, user)


def _shown(channel: str, since: int) -> dict[str, Any]:
    return {"channel": channel, "since": to_rfc3339(since)}
