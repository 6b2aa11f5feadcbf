"""The op `sync`: a device follows all rooms of its user from what it has acknowledged.

What it costs follows from the rooms that have news: of the others the latest event is looked up, all at once,
and a subscription begins when something happens there. A device that was here a moment ago and is in many
rooms looks only where something has happened since it looked last, and where there was news for it then.
"""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Final, Protocol

from consumers.cluster.acknowledgements import PlaceBook
from consumers.messenger.connected_users import Here, Looked, UserHere
from consumers.protocol import inbox as talk
from consumers.protocol import messages as m
from consumers.protocol.session import Member
from consumers.service.error_replies import not_a_reader
from consumers.service.ops.subscriptions import Subscriptions
from control.inbox.tables import Head
from control.rooms.rooms import Rooms
from control.rooms.state import stream_of
from control.rooms.users import UserRoom
from kernel.access.users import ROOM
from kernel.log.positions import Kind, Stream

#: Subscriptions of one connection that begin at once, and rooms that are looked at between turns of the loop.
_AT_ONCE: Final = 4
_A_TURN: Final = 50
_AGAIN_S: Final = 0.5
_NOTHING: Final = Head(0, 0)


class Connection(Protocol):
    """The holder of the subscriptions."""

    device: str

    @property
    def closing(self) -> bool: ...

    def send(self, message: m.AnyReply) -> None: ...


class SyncFeed:
    """One connection's."""

    def __init__(self, sync: "Sync", member: Member, connection: Any) -> None:
        self._sync, self._member, self.connection = sync, member, connection
        self.since_ms = sync.now_ms()
        #: Stream -> from where on it is followed.
        self._starts: dict[str, int] = {}
        #: Streams that were followed, with the subscription: that such a one is over is told by that.
        self._followed: dict[str, Any] = {}
        self._waiting: dict[str, None] = {}
        #: Streams that another edge of the cell serves: there the device is one who watches.
        self._sent_on: set[str] = set()
        self._working = 0
        self._over = False
        self._here: UserHere | None = None
        #: How many changes there had been when it looked, what that rests on, and where there was news.
        self._mark, self._news = 0, set[str]()
        self._rests_on: tuple[object, ...] = ()

    @property
    def member(self) -> Member:
        return self._member

    async def begin(self, here: UserHere) -> tuple[int, int]:
        """Look where there is news, and follow that; returns how many rooms there are, and how many events
        come. Rooms may come and go meanwhile."""
        sync, user, device = self._sync, self._member.user, self.connection.device
        first = not sync.book.synced(user, device)
        begins: dict[str, int] = {}
        names, behind = self._to_look_at(here, first=first), 0
        for at in range(0, len(names), _A_TURN):
            if at:
                await asyncio.sleep(0)
            if self._over:
                break
            # Those that came meanwhile are followed already; heads are as of this very turn.
            some = {
                stream: here.rooms[name]
                for name in names[at : at + _A_TURN]
                if name in here.rooms
                and (stream := stream_of(name)) not in self._starts
                and self.covers(name)
            }
            heads = sync.rooms.inboxes.heads([ROOM + one.room for one in some.values()])
            places = sync.book.places(user, device, list(some))
            for (stream, one), place in zip(some.items(), places, strict=True):
                head = heads.get(ROOM + one.room, _NOTHING)
                start = self._first_place(one, latest=first) if place is None else place
                if place is None:
                    begins[stream] = start
                self._starts[stream] = start
                if head.seq > start:
                    tally = sync.rooms.inboxes.tally(ROOM + one.room)
                    behind += 0 if tally is None else tally.events_after(start)
                    self._waiting[stream] = None
                    self._news.add(one.room)
        else:
            self._here = here  # it has looked at all of them
        if first and not (self._over or self._member.grants.anonymous):
            sync.book.begins(user, device, begins)
        # Once it is answered how many come.
        asyncio.get_running_loop().call_soon(self._work_on)
        return len(self._starts), behind

    def _to_look_at(self, here: UserHere, *, first: bool) -> list[str]:
        """The rooms in which there may be something: all of them, or those that have changed since this
        device looked last and those in which it found something then. What it knows of the others holds."""
        user, device = self._member.user, self.connection.device
        self._mark = here.changes
        self._rests_on = (self._member.grants.can, self._sync.book.known_as(user, device))
        left = here.back(device)
        if first or left is None or left.rests_on != self._rests_on:
            return list(here.rooms)
        names = [*{**dict.fromkeys(left.news), **dict.fromkeys(here.changed_since(left.mark))}]
        self._starts = left.starts
        for name in names:
            self._starts.pop(stream_of(name), None)
        return names

    def end(self) -> None:
        """Follow nothing any more."""
        self._over = True
        if self._here is not None:
            looked = Looked(self._mark, self._rests_on, self._starts, frozenset(self._news))
            self._here.leaves(self.connection.device, looked)

    def follows_here(self, channel: str) -> bool:
        """Whether a room's stream comes from this edge, now or once something happens there."""
        return str(Stream(Kind.CHAT, channel)) not in self._sent_on

    def _first_place(self, one: UserRoom, *, latest: bool) -> int:
        """Where a room begins for a device that has acknowledged nothing of it: a new device gets the latest
        messages, one that was there before what came since the user came into the room first: also of a time
        that was over before the device had come."""
        rooms = self._sync.rooms
        if not latest:
            since = one.since
            if one.spans.first < since and (room := rooms.room(one.room)) is not None:
                times = (time.since for time in room.intervals(self._member.user))
                since = min((first for first in times if first >= room.born), default=since)
            return since - 1
        tally = rooms.inboxes.tally(ROOM + one.room)
        start = 0 if tally is None else tally.start_of_last()
        return max(start, one.spans.first - 1 if one.ranges else one.since - 1)

    # ── from Here (it is its Feed) ───────────────────────────────────────────────────────────────────

    def covers(self, room: str) -> bool:
        return self._member.grants.allows("subscribe", stream_of(room))

    def news(self, channel: str, seq: int) -> None:
        stream = str(Stream(Kind.CHAT, channel))
        if stream in self._starts and seq > self._starts[stream]:
            self._want(stream)

    def came(self, room: UserRoom) -> None:
        stream = stream_of(room.room)
        if stream not in self._starts:
            # Who is back gets what they have not got, as far as it is theirs by now.
            had = self._followed.pop(stream, None)
            place = self._sync.book.place(self._member.user, self.connection.device, stream) or 0
            given = 0 if had is None else had.cursors().get(stream, 0)
            self._starts[stream] = max(place, given) or self._first_place(room, latest=False)
            self._want(stream)

    def gone(self, room: str) -> None:
        stream = stream_of(room)
        self._sent_on.discard(stream)
        if self._starts.pop(stream, None) is not None and stream not in self._followed:
            self.connection.send(not_a_reader(None, stream))

    def moved(self) -> None:
        """What the user has read, and other devices have, is nothing to this."""

    def moved_in(self, room: str) -> None:
        """The same."""

    def again(self, stream: str, after: int) -> None:
        """A subscription that was asked for is over: the room is one of all again."""
        if stream in self._starts:
            self._starts[stream] = max(self._starts[stream], after)
            self._want(stream)

    def narrow(self) -> None:
        """The token is another one: what it does not cover is followed no more."""
        covers = self._member.grants.allows
        self._here = None  # what it has looked at was by the other one
        for stream in [one for one in self._starts if not covers("subscribe", one)]:
            del self._starts[stream]
            self._waiting.pop(stream, None)
            self._sync.subscriptions.leave_followed(self._member, stream)

    def failed(self, stream: str) -> None:
        """A subscription could not go on: try again."""
        asyncio.get_running_loop().call_later(_AGAIN_S, self._want, stream)

    # ── subscriptions begin ──────────────────────────────────────────────────────────────────────────

    def _want(self, stream: str) -> None:
        known = self._member.streams.get(stream) or self._member.followed.get(stream)
        if known is not None or self._over or stream not in self._starts:
            return
        self._waiting[stream] = None
        self._work_on()

    def _work_on(self) -> None:
        for _ in range(min(_AT_ONCE - self._working, len(self._waiting))):
            self._working += 1
            self._sync.spawn(self._work())

    async def _work(self) -> None:
        try:
            while self._waiting and not (self._over or self.connection.closing):
                stream = next(iter(self._waiting))
                del self._waiting[stream]
                await self._follow(stream)
        finally:
            self._working -= 1

    async def _follow(self, stream: str) -> None:
        start = self._starts.get(stream)
        if start is None:
            return
        sync, member = self._sync, self._member
        after = max(start, sync.book.place(member.user, self.connection.device, stream) or 0)
        refused = await sync.subscriptions.watch_room(
            *(self.connection, member, m.Subscribe(stream=stream, after=after), Stream.parse(stream)),
            gone=lambda: self._over or self.connection.closing,
            follows=True,
        )
        if refused is None and (following := member.followed.get(stream)) is not None:
            self._followed[stream] = following
            self._sent_on.discard(stream)
        elif isinstance(refused, m.Redirect):
            self._sent_on.add(stream)
            self.connection.send(m.Redirect(stream=stream, url=refused.url, after=after))
        elif isinstance(refused, m.Error) and refused.retry:
            self.failed(stream)
        # Whoever is not in it any more is told when their rooms say so.


class Sync:
    """The devices of an edge that follow all rooms."""

    def __init__(
        self,
        *,
        rooms: Rooms,
        book: PlaceBook,
        here: Here,
        subscriptions: Subscriptions,
        spawn: Callable[[Coroutine[Any, Any, None]], None],
        now_ms: Callable[[], int],
    ) -> None:
        self.rooms, self.book, self.subscriptions, self.spawn = rooms, book, subscriptions, spawn
        self.now_ms = now_ms
        self._here = here

    def feed(self, member: Member, connection: Any) -> SyncFeed:
        """What follows all rooms of a member, once it has begun."""
        return SyncFeed(self, member, connection)

    async def begin(self, request: talk.Sync, feed: SyncFeed) -> talk.Synced:
        """Follow all rooms of a member from now on."""
        rooms, behind = await feed.begin(self._here.add(feed.member.user, feed))
        return talk.Synced(id=request.id, rooms=rooms, behind=behind)

    def end(self, feed: SyncFeed) -> None:
        """No more."""
        feed.end()
        self._here.discard(feed.member.user, feed)
        for stream in list(feed.member.followed):
            self.subscriptions.leave_followed(feed.member, stream)
