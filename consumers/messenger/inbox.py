"""The op `inbox`: a page of a user's rooms, then the rows that have changed, at most twice a second."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Final, Protocol

import msgspec
from msgspec import UNSET

from consumers.cluster.acknowledgements import PlaceBook
from consumers.messenger.connected_users import Here
from consumers.protocol import inbox as talk
from consumers.protocol import messages as m
from consumers.protocol.session import Member
from control.entity.view import View
from control.inbox.places import Places
from control.inbox.rows import row_of
from control.inbox.tally import Tally
from control.inbox.unread import ReadUpTo
from control.rooms.service import RoomService, Who
from control.rooms.state import stream_of
from control.rooms.users import UserRoom
from history.rooms import Reader, Upto, rows_of, with_last
from history.unread import notify_stream, unread_notifications
from kernel.access.users import ROOM, notify_channel
from kernel.clock import Clock
from kernel.errors import TouchlineError

EVERY_S: Final = 0.5
#: Beside rooms' ids, of which none is empty: the number of notifications.
NOTIFICATIONS: Final = ""
_ROOMS: Final = stream_of("")


class Holder(Protocol):
    """Who is told."""

    @property
    def paused(self) -> bool: ...

    def send(self, message: m.AnyReply) -> None: ...


class InboxFeed:
    """One connection's."""

    def __init__(self, inbox: "Inbox", member: Member, user: str, holder: Holder) -> None:
        self._inbox, self._member, self._user, self._holder = inbox, member, user, holder
        self._dirty: dict[str, None] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._pushing = self._over = False
        self._sent_at = float("-inf")
        #: What was told of each room last, and how far the user was in it.
        self._shown: dict[str, bytes] = {}
        self._upto: dict[str, Upto] = {}
        self._places: Sequence[Places] = ()
        #: How many notifications were told to be unread, and up to where they were read then.
        self._unread = -1
        self._noted = ReadUpTo()

    def shown(self, rows: list[dict[str, Any]]) -> None:
        """These rows were told."""
        for row in rows:
            self._shown[row["room"]] = msgspec.json.encode(row)

    def begin(self, rooms: list[UserRoom]) -> None:
        """What changes from now on is told."""
        self._upto = {one.room: self._place(one.room) for one in rooms}
        self._places = self._inbox.rooms.inboxes.of_user(self._user).records
        self._inbox.tallies.watch(notify_channel(self._user), self._told)

    def end(self) -> None:
        """Nothing is told any more."""
        self._over = True
        self._inbox.tallies.unwatch(notify_channel(self._user), self._told)
        if self._timer is not None:
            self._timer.cancel()

    def _told(self, key: bytes, tally: Tally | None) -> None:  # noqa: ARG002 - a View calls it
        self.touch(NOTIFICATIONS)

    async def notifications(self) -> int:
        """How many the user has not read."""
        self._noted = self._inbox.read_notifications(self._user)
        tally = self._inbox.tallies.get(notify_channel(self._user))
        self._unread = await unread_notifications(self._inbox.history, self._user, tally, self._noted)
        return self._unread

    # ── from Here (it is its Feed) ───────────────────────────────────────────────────────────────────

    def covers(self, room: str) -> bool:
        return Who(self._member.grants).reads(room)

    def news(self, channel: str, seq: int) -> None:  # noqa: ARG002 - a Feed
        self.touch(channel.removeprefix(ROOM))

    def came(self, room: UserRoom) -> None:
        self.touch(room.room)

    def gone(self, room: str) -> None:
        self.touch(room)

    def moved(self) -> None:
        before, self._places = self._places, self._inbox.rooms.inboxes.of_user(self._user).records
        # One record of them has changed, of a user in very many rooms.
        for record in (*before, *self._places):
            if any(record is one for one in before) and any(record is one for one in self._places):
                continue
            for stream in record.by_stream:
                room = stream.removeprefix(_ROOMS)
                if room in self._upto and self._place(room) != self._upto[room]:
                    self.touch(room)
        if self._inbox.read_notifications(self._user) != self._noted:
            self.touch(NOTIFICATIONS)

    def moved_in(self, room: str) -> None:
        self.touch(room)

    def touch(self, room: str) -> None:
        """The row of a room may be another one."""
        self._dirty[room] = None
        self._arm()

    def _arm(self) -> None:
        if self._timer is not None or self._pushing or self._over:
            return
        wait_s = max(0.0, self._sent_at + EVERY_S - self._inbox.clock.monotonic())
        self._timer = asyncio.get_running_loop().call_later(wait_s, self._due)

    def _due(self) -> None:
        self._timer = None
        if self._holder.paused:
            self._sent_at = self._inbox.clock.monotonic()
            self._arm()
            return
        self._pushing = True
        self._inbox.spawn(self._push())

    async def _push(self) -> None:
        rooms, self._dirty = list(self._dirty), {}
        try:
            rows: list[dict[str, Any]] = []
            before, notifications = self._unread, self._unread
            if NOTIFICATIONS in rooms:
                notifications = await self.notifications()
            for room in rooms:
                if room == NOTIFICATIONS:
                    continue
                row = await self._row(room)
                encoded = msgspec.json.encode(row)
                if self._shown.get(room) != encoded and (room in self._shown or "gone" not in row):
                    rows.append(row)
                    self._shown[room] = encoded
                if "gone" in row:
                    self._shown.pop(room, None)
            told = UNSET if notifications == before else notifications
            if (rows or told is not UNSET) and not self._over:
                self._sent_at = self._inbox.clock.monotonic()
                self._holder.send(talk.InboxReply(rooms=rows, notifications=told))
        except TouchlineError:
            self._dirty = dict.fromkeys((*rooms, *self._dirty))
            self._sent_at = self._inbox.clock.monotonic()
        finally:
            self._pushing = False
            if self._dirty:
                self._arm()

    async def _row(self, room: str) -> dict[str, Any]:
        one = self._inbox.rooms.of_user_in(self._user, room)
        found = None
        if one is not None:
            upto = self._upto[room] = self._place(room)
            found = row_of(self._inbox.rooms, self._user, one, upto.read, upto.delivered)
        if one is None or found is None:
            self._upto.pop(room, None)
            return {"room": room, "gone": True}
        return await with_last(self._inbox.history, self._user, one, found)

    def _place(self, room: str) -> Upto:
        return self._inbox.place_of(self._user, stream_of(room))


class Inbox:
    """The inboxes of an edge."""

    def __init__(
        self,
        *,
        service: RoomService,
        history: Reader,
        book: PlaceBook,
        here: Here,
        clock: Clock,
        spawn: Callable[[Coroutine[Any, Any, None]], None],
    ) -> None:
        self.rooms, self.history, self.clock, self.spawn = service.rooms, history, clock, spawn
        self._service, self._book, self._here = service, book, here

    @property
    def tallies(self) -> View[Tally]:
        """What streams have come to, as this edge knows it."""
        return self.rooms.inboxes.tallies

    def place_of(self, user: str, stream: str) -> Upto:
        """How far a user is, as it is known here."""
        return Upto(self._book.read_upto(user, stream), self._book.delivered(user, stream))

    def read_notifications(self, user: str) -> ReadUpTo:
        """Up to where a user has read what they are told."""
        return self._book.read_upto(user, str(notify_stream(user)))

    async def page(
        self, request: talk.Inbox, member: Member, holder: Holder, feed: InboxFeed | None
    ) -> tuple[talk.InboxReply, InboxFeed]:
        """A page of rows, and what tells of changes from then on. Raises."""
        who = Who(member.grants)
        user = who.named()
        if feed is None:
            feed = InboxFeed(self, member, user, holder)
            here = self._here.add(user, feed)
            feed.begin(here.told(feed))
        page = await rows_of(
            *(self.history, self._service, who, user),
            limit=request.limit,
            cursor=request.cursor,
            place_of=self.place_of,
        )
        feed.shown(page.rooms)
        notifications = await feed.notifications()
        return (
            talk.InboxReply(
                id=request.id,
                rooms=page.rooms,
                more=page.next is not None,
                cursor=page.next,
                notifications=notifications,
            ),
            feed,
        )

    def end(self, user: str, feed: InboxFeed) -> None:
        """No more of it."""
        feed.end()
        self._here.discard(user, feed)
