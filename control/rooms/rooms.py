"""What a role asks of rooms: who may read what, which rooms somebody is in, and whom they have blocked.

A role's tables lag behind the log by milliseconds. Where the answer is no, it is asked again once they have
all that lies there now (`fresh`): who was just let in is not turned away. Where it is yes, whoever shows an
event knows by it how new the room's record has to be (`members_at`), and waits for that (`as_of`).
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from control.entity.tables import Tables
from control.entity.types import AnyType, prefix_of
from control.inbox.tables import Inboxes, OfUsers
from control.rooms.changes import not_found
from control.rooms.membership import ALL, NOTHING, Spans
from control.rooms.state import Room
from control.rooms.table import block_type, room_type, user_rooms_type
from control.rooms.users import Block, UserRoom, UserRooms, block_key, key_of, rooms_key
from kernel.access.tokens import Grants
from kernel.access.users import ROOM
from kernel.errors import TouchlineError
from kernel.settings.reading import Settings

#: How long a door waits for its tables, and for the workers' word on a change. Longer than for an event: that
#: is sent again with its key and counts once, but a room that is created again is there already.
WITHIN_S: Final = 5.0
#: Ranges that one search looks at, in queries of some each.
MOST_RANGES: Final = 10_000


class Rooms:
    """The rooms that a role knows of, by its tables on disk."""

    def __init__(self, settings: Settings) -> None:
        self._room, self._user_rooms = room_type(settings), user_rooms_type(settings)
        self._block = block_type(settings)
        #: How far users are, and what rooms' streams have come to.
        self.inboxes = Inboxes(settings)
        self._tables: Tables | None = None
        #: Whether a user is banned from a channel: then nothing of it is theirs, whatever the room says.
        self.banned: Callable[[str, str], bool] = lambda *_: False
        #: Whether data of anybody were erased; and of this user, up to which time.
        self.erases: Callable[[], bool] = lambda: False
        self.erased_at: Callable[[str], int] = lambda _: 0
        self._one = asyncio.Lock()
        self._next: asyncio.Task[None] | None = None

    @property
    def types(self) -> list[AnyType]:
        """What its tables have to have."""
        return [self._room, self._user_rooms, self._block, *self.inboxes.types]

    @property
    def followed(self) -> bool:
        """Whether there are tables of them."""
        return self._tables is not None

    def open(self, tables: Tables) -> None:
        """Go by these tables."""
        self._tables = tables
        self.rooms = tables.view(self._room)
        self.user_rooms = tables.view(self._user_rooms)
        self.blocks = tables.view(self._block)
        self.of_users = OfUsers(self.user_rooms, rooms_key, _rooms_in)
        self.inboxes.open(tables)

    # ── rooms ────────────────────────────────────────────────────────────────────────────────────────

    def of_channel(self, channel: str) -> Room | None:
        """The room of a channel, if there is one."""
        room = None if self._tables is None else self.rooms.get(channel)
        return None if room is None or room.deleted else room

    def room(self, name: str) -> Room | None:
        """The room of this id, if there is one."""
        return self.of_channel(ROOM + name)

    def readable(self, grants: Grants, channel: str) -> Spans:
        """What of a room's stream may be read, as far as is known here: of a deleted one by nobody."""
        room = self.of_channel(channel)
        if room is None:
            return NOTHING
        if grants.allows("admin", channel):
            return ALL
        if self.banned(grants.user, channel):
            return NOTHING
        return room.readable(grants.user)

    def led_by(self, user: str, channel: str) -> bool:
        """Whether a user is the owner of a channel's room, or a moderator of it, as far as is known here."""
        room = self.of_channel(channel)
        me = None if room is None else room.member(user)
        return me is not None and me.role != "member" and not self.banned(user, channel)

    async def seen_by(self, grants: Grants, name: str) -> Room:
        """The room, for whoever is in it or administers it. Raises `not_found` or `unavailable`."""
        return await self._sure(name, lambda room: room if self._sees(grants, room) else None)

    async def writable(self, user: str, channel: str) -> Room:
        """The room of a channel, for a user who is in it. Raises `not_found` or `unavailable`."""

        def theirs(room: Room | None) -> Room | None:
            here = room is not None and room.member(user) is not None and not self.banned(user, channel)
            return room if here else None

        return await self._sure(channel.removeprefix(ROOM), theirs)

    def _sees(self, grants: Grants, room: Room | None) -> bool:
        if room is None or grants.allows("admin", ROOM + room.room):
            return room is not None
        return room.member(grants.user) is not None and not self.banned(grants.user, ROOM + room.room)

    async def _sure(self, name: str, look: Callable[[Room | None], Room | None]) -> Room:
        found = look(self.room(name))
        if found is None:
            await self.fresh()
            found = look(self.room(name))
        if found is None:
            raise not_found(name)
        return found

    async def as_of(self, channel: str, seq: int) -> Room | None:
        """The room, once its record has the change at `seq` in it; None: it is no more.

        Raises `unavailable` where that does not come."""
        room = await self.record(channel, seq) if seq else self.of_channel(channel)
        return None if room is None or room.deleted else room

    async def record(self, channel: str, seq: int) -> Room:
        """The same, also of a room that is no more."""
        if self._tables is None:
            raise TouchlineError("unavailable", "Rooms are not followed here.")
        room = self.rooms.get(channel)
        return room if room is not None and room.changed >= seq else await self._waiting(channel, seq)

    async def _waiting(self, channel: str, seq: int) -> Room:
        came: asyncio.Future[Room] = asyncio.get_running_loop().create_future()

        def look(_: bytes, room: Room | None) -> None:
            if room is not None and room.changed >= seq and not came.done():
                came.set_result(room)

        look(b"", self.rooms.watch(channel, look))
        try:
            return await asyncio.wait_for(came, WITHIN_S)
        except TimeoutError:
            raise TouchlineError(
                "unavailable", "What the room was changed to has not come here yet: try again in a moment."
            ) from None
        finally:
            self.rooms.unwatch(channel, look)

    async def fresh(self) -> None:
        """Return once all that lies in the topics now is known here. Raises `unavailable`."""
        if self._next is None:
            self._next = asyncio.get_running_loop().create_task(self._catch_up())
            # All who waited may have given up: then nobody hears how it ended.
            self._next.add_done_callback(lambda done: done.cancelled() or done.exception())
        # Shielded: who gives up waiting gives up for themselves only.
        await asyncio.shield(self._next)

    async def _catch_up(self) -> None:
        async with self._one:
            self._next = None  # who comes from now on may need what is written from now on
            if self._tables is None:
                return
            try:
                async with asyncio.timeout(WITHIN_S):
                    await self._tables.at_end()
            except TimeoutError:
                raise TouchlineError(
                    "unavailable", "The rooms' records are not read as quickly as they come: try again."
                ) from None

    # ── users ────────────────────────────────────────────────────────────────────────────────────────

    def of_user(self, user: str) -> list[UserRoom]:
        """The rooms that a user is in."""
        return [] if self._tables is None else list(self.of_users.of(user).values())

    def number_open_at_most(self, user: str) -> int:
        """How many rooms are open to a user, bans left aside."""
        return 0 if self._tables is None else len(self.of_users.of(user))

    def number_of(self, user: str) -> int:
        """How many rooms a user is in."""
        if self._tables is None:
            return 0
        return sum(len(record.rooms) for _, record in self.user_rooms.scan(prefix_of(key_of(user))))

    def anybody_erased(self, users: Iterable[str]) -> bool:
        """Whether data of one of them were erased."""
        return self.erases() and any(self.erased_at(user) for user in users)

    def open_to(self, user: str) -> list[UserRoom]:
        """The rooms that a user is in and not banned from."""
        return [one for one in self.of_user(user) if not self.banned(user, ROOM + one.room)]

    def seen_in_search(self, user: str) -> tuple[list[str], list[tuple[str, int, int]]]:
        """The channels of the rooms of which a user may see all, and the ranges of the others: of those that
        they have joined last, for so many as one search may name."""
        mine = self.open_to(user)
        parts = sorted((one for one in mine if not one.whole), key=lambda one: one.since, reverse=True)
        ranges = [(ROOM + one.room, *pair) for one in parts for pair in one.spans.ranges]
        return [ROOM + one.room for one in mine if one.whole], ranges[:MOST_RANGES]

    def of_user_in(self, user: str, room: str) -> UserRoom | None:
        """What is kept of one of them."""
        return None if self._tables is None else self.of_users.of(user).get(room)

    def has_blocked(self, user: str, other: str) -> bool:
        """Whether `user` has blocked the other one."""
        return self._tables is not None and self.blocks.get(block_key(user, other)) is not None

    def blocks_of(self, user: str, *, after: str = "", limit: int = 100) -> list[Block]:
        """Whom a user has blocked, in the order of their keys, after somebody."""
        if self._tables is None:
            return []
        prefix = prefix_of(key_of(user))
        start = block_key(user, after) if after else b""
        return [block for _, block in self.blocks.scan(prefix, after=start, limit=limit)]

    async def until(self, holds: Callable[[], bool]) -> None:
        """Return when something holds by what is known here. Raises `unavailable` after WITHIN_S."""
        try:
            async with asyncio.timeout(WITHIN_S):
                while not holds():
                    await self.fresh()
                    if not holds():
                        await asyncio.sleep(0.02)
        except TimeoutError:
            raise TouchlineError(
                "unavailable", "It has been taken, and is not in force yet: look again in a moment."
            ) from None


def _rooms_in(records: Sequence[UserRooms]) -> dict[str, UserRoom]:
    return {one.room: one for record in records for one in record.rooms}
