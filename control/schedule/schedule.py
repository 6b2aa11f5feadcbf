"""What a role asks of scheduled posts, by its tables; and what doors do with them."""

import secrets
from typing import Final

from control.commands.signed import seal
from control.entity.tables import Tables
from control.entity.types import AnyType, prefix_of
from control.entity.user_quotas import Shares
from control.entity.view import View
from control.rooms.rooms import Rooms
from control.rooms.service import Command
from control.schedule.scheduled import (
    MOST,
    MOST_IN_CHAT,
    MOST_OF_ALL,
    MOST_OF_USER,
    SCHEDULE,
    UNSCHEDULE,
    Scheduled,
    Wanted,
    being_posted,
    check_id,
    made_of,
    said_of,
    scheduled_key,
    scheduled_type,
)
from kernel.access.signing import Signer
from kernel.clock import Clock
from kernel.errors import TouchlineError
from kernel.log.positions import Kind, Stream
from kernel.settings.reading import Settings

_KEY_BYTES: Final = 12


class Schedule:
    """The scheduled posts that a role knows of."""

    def __init__(self, settings: Settings, *, owns: bool = False) -> None:
        """`owns`: this role posts them."""
        self._type = scheduled_type(settings, listing=owns)

    @property
    def types(self) -> list[AnyType]:
        """What its tables have to have."""
        return [self._type]

    def open(self, tables: Tables) -> None:
        """Go by these tables."""
        self.posts: View[Scheduled] = tables.view(self._type)

    def post(self, stream: Stream, id_: str) -> Scheduled | None:
        """One of them."""
        return self.posts.get(scheduled_key(stream, check_id(id_)))

    def of(self, stream: Stream) -> list[Scheduled]:
        """Those of a stream, the next one first."""
        rows = self.posts.scan(prefix_of(stream.channel) + f"{stream.kind}:".encode(), limit=2 * MOST)
        return sorted((post for _, post in rows), key=lambda post: (post.at, post.id))


class ScheduleService:
    """Scheduled posts as those have them who may publish. All raises TouchlineError.

    A door asks by its own tables whether it can be done, gives the command, sealed, and waits until its
    tables have it. Whether somebody may publish is asked before. Broadcasts are of a few, who work together;
    where everybody may chat each has their own posts alone, unless they `lead`: they may change what others
    have said.
    """

    def __init__(
        self, schedule: Schedule, rooms: Rooms, command: Command, clock: Clock, signer: Signer
    ) -> None:
        self._schedule, self._rooms, self._command = schedule, rooms, command
        self._clock, self._signer = clock, signer
        self._shares = Shares(lambda: schedule.posts, lambda post: post.sender)

    async def put(
        self, stream: Stream, id_: str, wanted: Wanted, *, user: str | None, leads: bool
    ) -> tuple[Scheduled, bool]:
        """Schedule a post, or say anew what is scheduled; and whether it is new."""
        key, now_ms = f"scheduled:{secrets.token_urlsafe(_KEY_BYTES)}", self._clock.now_ms()
        post = made_of(wanted, stream, id_, sender=user, key=key, now_ms=now_ms)
        before = self._schedule.post(stream, id_)
        if before is not None and not sees(stream, before, user, leads=leads):
            raise TouchlineError("forbidden", f"{id_} is scheduled on {stream} by somebody else.")
        if before is not None and before.tried:
            raise being_posted(before)
        if before is None:
            await self._check_room(stream, user, leads=leads)
        await self._say(SCHEDULE, stream, post, user)
        # Its time may be over as soon as it is in force: then it is gone again, posted.
        await self._rooms.until(lambda: self._is(stream, id_, key) or post.at <= self._clock.now_ms())
        return post, before is None

    async def remove(self, stream: Stream, id_: str, *, user: str | None, leads: bool) -> Scheduled:
        """It is not posted. Raises `not_found`, also where it was posted before; `ended` while it is."""
        before = self.found(stream, id_, user=user, leads=leads)
        if before.tried:
            raise being_posted(before)
        await self._say(UNSCHEDULE, stream, before, user)
        await self._rooms.until(lambda: not self._is(stream, id_, before.key))
        return before

    def found(self, stream: Stream, id_: str, *, user: str | None, leads: bool) -> Scheduled:
        """One of them. Raises `not_found`."""
        post = self._schedule.post(stream, id_)
        if post is None or not sees(stream, post, user, leads=leads):
            raise TouchlineError(
                "not_found", f"Nothing is scheduled on {stream} as {id_}: it may be posted by now."
            )
        return post

    def shown(self, stream: Stream, *, user: str | None, leads: bool) -> list[Scheduled]:
        """Those of a stream, the next one first."""
        return [post for post in self._schedule.of(stream) if sees(stream, post, user, leads=leads)]

    def _is(self, stream: Stream, id_: str, key: str) -> bool:
        now = self._schedule.post(stream, id_)
        return now is not None and now.key == key

    async def _check_room(self, stream: Stream, user: str | None, *, leads: bool) -> None:
        there = self._schedule.of(stream)
        if len(there) >= MOST:
            raise TouchlineError(
                "too_many", f"{MOST} posts are scheduled on {stream}, as many as there may be."
            )
        own = sum(post.sender == user for post in there)
        if stream.kind is Kind.CHAT and own >= MOST_IN_CHAT and not leads:
            raise TouchlineError(
                "too_many",
                f"You have {MOST_IN_CHAT} posts scheduled on {stream}, as many as one may have in a chat.",
            )
        in_all = self._schedule.posts.count()
        if in_all >= MOST_OF_ALL:
            raise TouchlineError(
                "limit_reached",
                f"About {MOST_OF_ALL:,} posts are scheduled on all channels together: no more are taken.",
            )
        if user is not None and in_all >= MOST_OF_USER:
            await self._check_share(user)

    async def _check_share(self, user: str) -> None:
        """Raise `limit_reached` where somebody has too many of all there may be."""
        if await self._shares.of(user) >= MOST_OF_USER:
            raise TouchlineError(
                "limit_reached", f"You have {MOST_OF_USER:,} posts scheduled, as many as one may have."
            )

    async def _say(self, command: str, stream: Stream, post: Scheduled, user: str | None) -> None:
        said = seal(command, stream.channel, said_of(post), self._signer)
        await self._command(stream.channel, command, said, user)


def sees(stream: Stream, post: Scheduled, user: str | None, *, leads: bool) -> bool:
    """Whether somebody who may publish there has a part in a post."""
    return leads or stream.kind is not Kind.CHAT or (user is not None and post.sender == user)
