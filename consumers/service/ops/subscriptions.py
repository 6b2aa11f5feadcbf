"""What viewers watch: subscriptions begin, end, and follow what channels and partitions do."""

from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from typing import Protocol

from consumers.delivery.backfill import Backfill
from consumers.delivery.hub import Audience, Hub
from consumers.delivery.room_view import RoomView, members_at_of, taken_out
from consumers.delivery.subscription import Holder, Subscription
from consumers.protocol import messages as m
from consumers.protocol.session import Member
from consumers.service.error_replies import not_a_reader, refusal
from consumers.service.watchers import Watchers
from consumers.transport.frames import payload_of
from control.rooms.state import Room
from control.state import ControlState
from kernel.access.tokens import Grants
from kernel.access.users import ROOM
from kernel.errors import TouchlineError
from kernel.log.positions import Kind, Shard, Stream


class Partitions(Protocol):
    """Which partitions this edge has, and where others are served."""

    def serves(self, kind: Kind, key: str) -> bool:
        """Whether this fan-out key's partition is here, and its rings are filled."""

    def whole(self, kind: Kind, key: str) -> bool:
        """Whether its partition was read from the first record on."""

    def elsewhere(self, key: str) -> str | None:
        """The address of the edge that serves it, where that is known."""


class Subscriptions:
    """All subscriptions of an edge."""

    def __init__(
        self,
        hub: Hub,
        backfill: Backfill,
        registry: ControlState,
        partitions: Partitions,
        *,
        most_of_a_user: int = 2000,
        elsewhere: Callable[[Grants], int] = lambda _: 0,
        now_ms: Callable[[], int] = lambda: 0,
    ) -> None:
        """`elsewhere` says how many subscriptions a user has at other edges."""
        self._now_ms = now_ms
        #: Called with a stream when somebody watches it, or does no more.
        self.on_audience: Callable[[str], None] = lambda _: None
        self.hub, self.backfill, self._most_of_a_user = hub, backfill, most_of_a_user
        self._elsewhere = elsewhere
        #: User -> subscriptions over all connections.
        self.of_users: Counter[str] = Counter()
        self._registry, self._partitions = registry, partitions
        self._watchers = Watchers()
        #: Audiences whose partitions went away, and whose viewers wait.
        self._suspended: set[Audience] = set()
        #: Called when one of all the rooms of a member is served elsewhere now: how far it came is with it.
        self.on_moved: Callable[[Subscription], None] = lambda _: None
        hub.on_room = self.room_changed

    # ── of one viewer ────────────────────────────────────────────────────────────────────────────────

    async def watch_room(
        self,
        holder: Holder,
        member: Member,
        request: m.Subscribe,
        stream: Stream,
        *,
        gone: Callable[[], bool],
        follows: bool = False,
    ) -> m.AnyReply | None:
        """As `watch`, of a room: who is in it by the latest event that there is may watch it. It takes a
        moment: by then the holder may be `gone`. `follows`: it is one of all their rooms."""
        rooms, channel, view = self._registry.rooms, stream.channel, None
        try:
            room = await rooms.seen_by(member.grants, channel.removeprefix(ROOM))
            if not member.grants.allows("admin", channel):
                room = await self._as_of_newest(member, stream, room)
                view = RoomView(member.user, room.readable(member.user), room.changed)
        except TouchlineError as error:
            return refusal(error, request.id)
        if follows and (request.stream in member.streams or request.stream in member.followed):
            return None
        if request.stream in member.streams:
            return m.error("bad_request", "You are subscribed to this already.", request_id=request.id)
        return None if gone() else self.watch(holder, member, request, stream, view, follows=follows)

    async def _as_of_newest(self, member: Member, stream: Stream, room: Room) -> Room:
        """The room as of the latest event that there is, for a member who is in it then."""
        rooms, channel = self._registry.rooms, stream.channel
        shard = self._registry.shard(channel, member.user)
        if not self._partitions.serves(stream.kind, shard.key):
            return room  # who comes is sent on
        # From here on nothing of it passes by here unseen.
        audience = self._audience(stream, shard)
        audience.viewers += 1
        try:
            ring = audience.feeds[0].ring
            newest = 0 if ring.newest is not None else await self.backfill.newest(stream)
            while True:
                if (frame := ring.newest) is not None:
                    newest = members_at_of(frame)
                if newest <= room.changed:
                    return room
                await rooms.as_of(channel, newest)
                room = await rooms.seen_by(member.grants, channel.removeprefix(ROOM))
        finally:
            self.hub.leave(audience)

    def watch(
        self,
        holder: Holder,
        member: Member,
        request: m.Subscribe,
        stream: Stream,
        view: RoomView | None = None,
        *,
        follows: bool = False,
    ) -> m.AnyReply | None:
        """Begin a subscription; a reply only where it cannot begin here."""
        if not self._registry.readers.allow(member.grants, stream.channel):
            return not_a_reader(request.id, request.stream)
        here = self.of_users[member.user]
        most = self._most_of_a_user
        if not follows and (here >= most or here + self._elsewhere(member.grants) >= most):
            sentence = f"One user may have {most} subscriptions."
            return m.error("limit_reached", sentence, request_id=request.id)
        shard = self._registry.shard(stream.channel, member.user)
        if not self._partitions.serves(stream.kind, shard.key):
            url = self._partitions.elsewhere(shard.key)
            if url is None:
                sentence = "The edges are changing places: try again."
                return m.error("unavailable", sentence, request_id=request.id)
            return m.Redirect(id=request.id, stream=request.stream, url=url)
        subscription = Subscription(holder, self._audience(stream, shard), request, view)
        subscription.on_end = partial(self._taken_out, subscription, member)
        subscription.follows, subscription.since_ms = follows, self._now_ms()
        if follows:
            member.followed[request.stream] = subscription
        else:
            self.leave_followed(member, request.stream)  # who asks for it says from where on
            member.streams[request.stream] = subscription
            self.of_users[member.user] += 1
        self._watchers.add(subscription, member)
        self.on_audience(request.stream)
        subscription.advance(self.backfill)
        return None

    def oversee(self, holder: Holder, member: Member, request: m.Subscribe) -> None:
        """Begin a subscription to the operators' figures: every edge has them, and no channel's settings."""
        subscription = Subscription(holder, self.hub.overview(), request)
        member.streams[request.stream] = subscription
        self.of_users[member.user] += 1
        subscription.advance(self.backfill)

    def leave(self, member: Member, stream: str) -> None:
        """End a subscription."""
        subscription: Subscription | None = member.streams.pop(stream, None)
        if subscription is not None:
            self._end(subscription, member)

    def leave_followed(self, member: Member, stream: str) -> None:
        """The same of one of all the user's rooms."""
        subscription: Subscription | None = member.followed.pop(stream, None)
        if subscription is not None:
            subscription.pause()  # how far it is stays with it
            self._end(subscription, member)

    def leave_either(self, member: Member, stream: str) -> None:
        """The same, whichever it is."""
        self.leave(member, stream)
        self.leave_followed(member, stream)

    def leave_all(self, member: Member) -> None:
        """The member's connection has ended: end all of its subscriptions."""
        for subscription in (*member.streams.values(), *member.followed.values()):
            self._end(subscription, member)
        member.streams.clear()
        member.followed.clear()

    # ── of a channel ─────────────────────────────────────────────────────────────────────────────────

    def watches(self, channel: str) -> bool:
        """Whether somebody watches the channel here, or a lane of it."""
        return bool(self._watchers.audiences_of(channel))

    def watching(self, channel: str) -> list[tuple[Subscription, Member]]:
        """Who watches a channel here, or a lane of it."""
        return self._watchers.of(self._watchers.audiences_of(channel))

    def recheck(self, channel: str) -> None:
        """The channel's settings have changed: who may not read it any more has heard the last of it."""
        for subscription, member in self._watchers.of(self._watchers.audiences_of(channel)):
            stream = subscription.audience.name
            if not self._registry.readers.allow(member.grants, channel):
                self.leave_either(member, stream)
                subscription.holder.send(not_a_reader(None, stream))

    def room_changed(self, stream: str, frame: bytes) -> None:
        """An event that all who watch a room have got may have taken some of them out."""
        seq, gone = taken_out(payload_of(frame))
        if not gone:
            return
        channel = Stream.parse(stream).channel
        for subscription, member in self._watchers.of(self._watchers.audiences_of(channel)):
            view = subscription.view
            if view is not None and member.user in gone and seq > view.as_of:
                self._taken_out(subscription, member)

    def _taken_out(self, subscription: Subscription, member: Member) -> None:
        stream = subscription.audience.name
        if subscription in (member.streams.get(stream), member.followed.get(stream)):
            self.leave_either(member, stream)
            subscription.holder.send(not_a_reader(None, stream))

    def widen(self, channel: str) -> None:
        """The channel may have more lanes now: whoever watches it already gets them too."""
        lanes = self._registry.layout(channel).lanes
        narrow = [
            audience
            for audience in self._watchers.audiences_of(channel)
            if audience.shard.channel == channel and len(audience.feeds) <= lanes
        ]
        moved = self._watchers.of(narrow)
        for subscription, _ in moved:
            subscription.pause()
        for audience in narrow:
            self._audience(Stream.parse(audience.name), audience.shard)
        for subscription, _ in moved:
            subscription.advance(self.backfill)

    # ── of partitions ────────────────────────────────────────────────────────────────────────────────

    def suspend(self, serves: Callable[[Kind, Shard], bool]) -> None:
        """Partitions are gone: whoever watches their streams has a position now, and waits."""
        for audience, served in self._by_service(serves):
            if served:
                continue
            self._suspended.add(audience)
            for subscription, _ in self._watchers.of([audience]):
                subscription.pause()
            for feed in audience.feeds:
                self.hub.reset(feed)

    def move(self, serves: Callable[[Kind, Shard], bool], elsewhere: Callable[[Shard], str | None]) -> int:
        """Send those whose streams are served elsewhere now there. Returns how many still have to wait."""
        waiting = 0
        for audience, served in self._by_service(serves):
            if served and audience not in self._suspended:
                continue
            watching = self._watchers.of([audience])
            if served:
                self._suspended.discard(audience)
                for subscription, _ in watching:
                    subscription.advance(self.backfill)
            elif (url := elsewhere(audience.shard)) is None:
                waiting += len(watching)
            else:
                for subscription, member in watching:
                    self.leave_either(member, audience.name)
                    if subscription.follows:
                        self.on_moved(subscription)
                    else:
                        subscription.holder.send(m.Redirect(stream=audience.name, url=url))
        return waiting

    # ── inside ───────────────────────────────────────────────────────────────────────────────────────

    def _audience(self, stream: Stream, shard: Shard) -> Audience:
        """The audience of a stream in a shard, with the lanes that its channel has now."""
        lanes = self._registry.layout(stream.channel).lanes
        return self.hub.audience(stream, shard, lanes, partial(self._partitions.whole, stream.kind))

    def _by_service(self, serves: Callable[[Kind, Shard], bool]) -> Iterator[tuple[Audience, bool]]:
        """Every channel's audience, and whether it is served here."""
        for shard, audiences in self._watchers.shards():
            for audience in audiences:
                yield audience, serves(Stream.parse(audience.name).kind, shard)

    def _end(self, subscription: Subscription, member: Member) -> None:
        if not subscription.follows:
            self.of_users[member.user] -= 1
            if self.of_users[member.user] <= 0:
                del self.of_users[member.user]
        subscription.close()
        self._watchers.discard(subscription)
        self.on_audience(subscription.audience.name)
        self.hub.leave(subscription.audience)
        if not subscription.audience.viewers:
            self._suspended.discard(subscription.audience)
