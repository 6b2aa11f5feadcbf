"""One edge's messenger: what is asked for, who comes and goes, and whose connections have to end."""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from consumers.cluster.acknowledgements import PlaceBook
from consumers.crowd.pushes import Telling
from consumers.delivery.subscription import Subscription
from consumers.feeds.live_notices import LooksHere
from consumers.messenger.connected_users import Here
from consumers.messenger.inbox import NOTIFICATIONS, Inbox, InboxFeed
from consumers.messenger.names import Names
from consumers.messenger.receipts import Occupants, Receipts
from consumers.messenger.signals import DISCONNECT, Signals
from consumers.messenger.sync import Sync, SyncFeed
from consumers.protocol import inbox as talk
from consumers.protocol import messages as m
from consumers.protocol.session import Member
from consumers.service.admission import Admission
from consumers.service.error_replies import refusal
from consumers.service.ops.acknowledgements import PlaceRequests
from consumers.service.ops.requests import Requests
from consumers.service.ops.subscriptions import Subscriptions
from consumers.service.tasks import Tasks
from control.crowd.crowd import Crowd
from control.rooms.service import RoomService, Who
from control.rooms.state import is_room
from control.rooms.users import key_of
from history.rooms import Reader
from history.unread import notify_stream
from kernel.access.users import NOTIFY, ROOM
from kernel.clock import Clock
from kernel.close_codes import Close
from kernel.errors import TouchlineError
from kernel.log.positions import Stream

_TICK_S: Final = 1.0


class _Feeds:
    """What one connection is told of all rooms."""

    __slots__ = ("inbox", "reactions", "sync", "told")

    def __init__(self) -> None:
        #: Streams of which it is told what reactions come to.
        self.reactions: set[str] = set()
        #: Streams of which it is told who comes and goes.
        self.told: set[str] = set()
        self.inbox: InboxFeed | None = None
        self.sync: SyncFeed | None = None


class Messenger:
    """The replies. None of them raises: what goes wrong is a reply too."""

    def __init__(
        self,
        *,
        service: RoomService,
        history: Reader,
        book: PlaceBook,
        places: PlaceRequests,
        requests: Requests,
        subscriptions: Subscriptions,
        admission: Admission,
        signals: Signals,
        looks: LooksHere,
        viewers: Callable[[str], int],
        crowd: Crowd,
        clock: Clock,
        tasks: Tasks,
    ) -> None:
        self._telling = Telling(crowd, clock)
        self._rooms, self._book, self._places, self._requests = service.rooms, book, places, requests
        self._admission, self._subscriptions = admission, subscriptions
        self._looks, self._tasks = looks, tasks
        self.here = Here(service.rooms)
        self._inbox = Inbox(
            service=service,
            history=history,
            book=book,
            here=self.here,
            clock=clock,
            spawn=tasks.spawn,
        )
        self._sync = Sync(
            rooms=service.rooms,
            book=book,
            here=self.here,
            subscriptions=subscriptions,
            spawn=tasks.spawn,
            now_ms=clock.now_ms,
        )
        together = Occupants(subscriptions, self.here)
        self._receipts = Receipts(
            rooms=service.rooms, book=book, together=together, signals=signals, clock=clock, viewers=viewers
        )

        def here(stream: str) -> int:
            return sum(audience.viewers for audience in subscriptions.hub.audiences_of(stream))

        self.names = Names(together=together, signals=signals, clock=clock, viewers=viewers, here=here)
        subscriptions.on_audience = self.names.changed
        subscriptions.on_moved = self._moved
        self._feeds: dict[Any, _Feeds] = {}
        #: The part of records' keys that is a user's -> their connections, each with when its device was
        #: signed out last, as it was known when it came.
        self._devices: dict[bytes, dict[Any, int]] = {}
        book.on_risen.append(self._risen)
        signals.heard_by[DISCONNECT] = lambda said: self.disconnect(said["user"] or "")
        if service.rooms.followed:
            service.rooms.inboxes.of_users.on_change.append(self._places_changed)
            service.rooms.inboxes.of_users.used_by(
                lambda name: name in self._devices or self.here.is_here(name) or book.has(name)
            )

    async def run(self) -> None:
        """Let time pass."""
        while True:
            await asyncio.sleep(_TICK_S)
            self.names.tick()

    # ── what is asked for ────────────────────────────────────────────────────────────────────────────

    async def do(
        self, request: talk.Read | talk.Sync | talk.Inbox | talk.Typing, member: Member, connection: Any
    ) -> m.AnyReply | None:
        """Do it, and answer."""
        try:
            match request:
                case talk.Read():
                    return await self._places.read(request, member, connection.device)
                case talk.Typing():
                    counted = self._requests.presence(
                        m.Presence(id=request.id, stream=request.stream), member
                    )
                    refused = isinstance(counted, m.Error)
                    return counted if refused else self._receipts.typing(request, member)
                case talk.Sync():
                    return await self._begin_sync(request, member, connection)
                case talk.Inbox():
                    return await self._page(request, member, connection)
        except TouchlineError as error:
            return refusal(error, request.id)

    async def presence(self, request: m.Presence, member: Member) -> m.AnyReply:
        """Who watches a stream, by name."""
        stream = Stream.parse(request.stream)
        try:
            if is_room(stream):
                await self._rooms.seen_by(member.grants, stream.channel.removeprefix(ROOM))
        except TouchlineError as error:
            return refusal(error, request.id)
        reply = self._requests.presence(request, member)
        if isinstance(reply, m.Error):
            return reply
        found = await self.names.presence(request.stream, request.limit)
        return m.PresenceReply(
            id=request.id, stream=request.stream, viewers=found.viewers, members=found.members
        )

    async def _begin_sync(self, request: talk.Sync, member: Member, connection: Any) -> m.AnyReply | None:
        Who(member.grants).named()
        feeds = self._feeds_of(connection)
        self._requests.count_read(member)
        await self._rooms.fresh()  # who was let in a moment ago finds the room
        if connection.closing:
            return None
        if feeds.sync is not None:  # again, from what is acknowledged by now
            self._sync.end(feeds.sync)
        feeds.sync = self._sync.feed(member, connection)
        synced = await self._sync.begin(request, feeds.sync)
        self.names.changed_of(partial(self._is_in, member.user))
        return synced

    def _is_in(self, user: str, stream: str) -> bool:
        channel = stream.partition(":")[2]
        return self._rooms.of_user_in(user, channel.removeprefix(ROOM)) is not None

    async def _page(self, request: talk.Inbox, member: Member, connection: Any) -> m.AnyReply | None:
        user, feeds = Who(member.grants).named(), self._feeds_of(connection)
        if request.off:
            self._end_inbox(user, feeds)
            return None if request.id is None else m.Ok(id=request.id)
        if not self.here.is_here(key_of(user).encode()):
            await self._rooms.fresh()  # of whoever is here already changes are heard as they come
        if feeds.inbox is None:
            await self._looks.add(user, connection)
        reply, feed = await self._inbox.page(request, member, connection, feeds.inbox)
        feeds.inbox = feed
        if connection.closing:
            self.left(connection, member)
        return reply

    def _feeds_of(self, connection: Any) -> _Feeds:
        return self._feeds.setdefault(connection, _Feeds())

    def _end_inbox(self, user: str, feeds: _Feeds) -> None:
        if feeds.inbox is not None:
            self._inbox.end(user, feeds.inbox)
            feeds.inbox = None

    # ── subscriptions beside it ──────────────────────────────────────────────────────────────────────

    def watches(self, request: m.Subscribe, connection: Any) -> None:
        """A stream is asked for by itself."""
        if request.stream == str(notify_stream(connection.session.user)):
            self._tasks.spawn(self._looks.add(connection.session.user, connection))
        if request.members:
            self._feeds_of(connection).told.add(request.stream)
            self.names.tell(request.stream, connection)
        if request.reactions:
            self._feeds_of(connection).reactions.add(request.stream)
            self._telling.watches(request, connection)

    def leaves(self, stream: str, member: Member, connection: Any) -> None:
        """Before a subscription ends that was asked for by itself."""
        self.names.forget(stream, connection)
        self._telling.leaves(stream, connection)
        feeds = self._feeds.get(connection)
        subscription = member.streams.get(stream)
        if feeds is not None and feeds.sync is not None and subscription is not None:
            sync, after = feeds.sync, subscription.cursors().get(stream, 0)
            asyncio.get_running_loop().call_soon(sync.again, stream, after)

    def _moved(self, subscription: Subscription) -> None:
        """Another edge serves one of all rooms now: the device is told where, and from which event on."""
        feeds, stream = self._feeds.get(subscription.holder), subscription.audience.name
        if feeds is not None and feeds.sync is not None:
            feeds.sync.again(stream, subscription.cursors().get(stream, 0))

    def failed(self, stream: str, member: Member, connection: Any) -> None:
        """A subscription to one of all rooms could not go on."""
        self._subscriptions.leave_followed(member, stream)
        feeds = self._feeds.get(connection)
        if feeds is not None and feeds.sync is not None:
            feeds.sync.failed(stream)

    # ── devices ──────────────────────────────────────────────────────────────────────────────────────

    def came(self, connection: Any, member: Member) -> None:
        """Somebody is connected; a device that has a name is noted."""
        if member.grants.anonymous or not connection.device:
            return
        try:
            known = self._rooms.inboxes.of_user(member.user)
        except TouchlineError:
            return  # not read yet: nobody is let in before that
        name = key_of(member.user).encode()
        self._devices.setdefault(name, {})[connection] = known.gone.get(connection.device, 0)
        self._book.seen(member.user, connection.device)

    def renewed(self, connection: Any) -> None:
        """A connection has shown another token."""
        feeds = self._feeds.get(connection)
        if feeds is not None and feeds.sync is not None:
            feeds.sync.narrow()

    def left(self, connection: Any, member: Member) -> None:
        """A connection has ended."""
        self._looks.discard(member.user, connection)
        feeds = self._feeds.pop(connection, None)
        if feeds is not None:
            self._end_inbox(member.user, feeds)
            for stream in feeds.told:
                self.names.forget(stream, connection)
            for stream in feeds.reactions:
                self._telling.leaves(stream, connection)
            if feeds.sync is not None:
                self._sync.end(feeds.sync)
                self.names.changed_of(partial(self._is_in, member.user))
        name = key_of(member.user).encode()
        of_user = self._devices.get(name)
        if of_user is not None:
            of_user.pop(connection, None)
            if not of_user:
                del self._devices[name]

    def _places_changed(self, name: bytes) -> None:
        self._book.changed(name)
        for connection, before in list(self._devices.get(name, {}).items()):
            user = connection.session.user
            gone = self._rooms.inboxes.of_user(user).gone.get(connection.device, 0)
            if gone > before:
                connection.end(Close.BAD_TOKEN)

    def disconnect(self, user: str) -> None:
        """All connections of a user end."""
        for viewer in self._admission.viewers():
            session = viewer.session
            if isinstance(session, Member) and session.user == user:
                viewer.end(Close.BAD_TOKEN)

    def _risen(self, user: str, stream: str, _: bool) -> None:
        channel = stream.partition(":")[2]
        if channel.startswith(ROOM):
            self.here.moved(user, channel.removeprefix(ROOM))
        elif channel.startswith(NOTIFY):
            self.here.moved(user, NOTIFICATIONS)
