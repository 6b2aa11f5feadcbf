"""Who types in a room, and up to where its members have received and read it: told to those who are there."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from consumers.cluster.acknowledgements import PlaceBook
from consumers.messenger.connected_users import Here
from consumers.messenger.inbox import Holder
from consumers.messenger.signals import RECEIPTS, TYPING, Signals
from consumers.messenger.sync import SyncFeed
from consumers.protocol import inbox as talk
from consumers.protocol import messages as m
from consumers.protocol.session import Member
from consumers.service.ops.subscriptions import Subscriptions
from control.rooms.rooms import Rooms
from control.rooms.state import is_room
from kernel.clock import Clock
from kernel.errors import TouchlineError
from kernel.log.positions import Kind, Stream

_EVERY_S: Final = 0.5
#: A viewer's client says that somebody types every few seconds: what comes more often is not told again.
_TYPING_S: Final = 1.0
_MOST_TYPING: Final = 10_000
#: In a stream of more viewers nobody is told who types.
MOST_VIEWERS: Final = 1000


class Occupants:
    """Who is in a stream at this edge, by whatever way."""

    def __init__(self, subscriptions: Subscriptions, here: Here) -> None:
        self._subscriptions, self._here = subscriptions, here

    def holders(self, channel: str, *, but: str | None = None) -> list[Holder]:
        """Those who are told something of a channel, but the connections of one user."""
        return [holder for holder, user, _, _ in self.each(channel) if user != but]

    def each(self, channel: str) -> Iterator[tuple[Any, str, str, int]]:
        """Holder, user, device and since when: each connection once."""
        seen: set[Any] = set()
        for subscription, member in self._subscriptions.watching(channel):
            holder: Any = subscription.holder
            if holder not in seen:
                seen.add(holder)
                yield holder, member.user, getattr(holder, "device", ""), subscription.since_ms
        for feed in self._here.feeds_of(channel):
            if not isinstance(feed, SyncFeed) or not feed.follows_here(channel):
                continue
            if feed.connection not in seen:
                seen.add(feed.connection)
                yield feed.connection, feed.member.user, feed.connection.device, feed.since_ms


class Receipts:
    """What rises at this edge or another is told at most twice a second."""

    def __init__(
        self,
        *,
        rooms: Rooms,
        book: PlaceBook,
        together: Occupants,
        signals: Signals,
        clock: Clock,
        viewers: Callable[[str], int],
    ) -> None:
        self._rooms, self._book, self._together, self._signals = rooms, book, together, signals
        self._clock, self._viewers = clock, viewers
        #: Stream -> users whose places rose here and were not told yet.
        self._rose: dict[str, dict[str, None]] = {}
        self._last: dict[str, float] = {}
        self._typed: OrderedDict[tuple[str, str], float] = OrderedDict()
        book.on_risen.append(self._risen)
        signals.heard_by[RECEIPTS] = self._heard
        signals.heard_by[TYPING] = self._types

    # ── receipts ─────────────────────────────────────────────────────────────────────────────────────

    def _risen(self, user: str, stream: str, _: bool) -> None:
        parsed = Stream.parse(stream)
        room = self._rooms.of_channel(parsed.channel) if is_room(parsed) else None
        if room is not None and room.receipts and room.member(user) is not None:
            self._arm(stream, self._rose.setdefault(stream, {}), user)

    def _arm(self, stream: str, users: dict[str, None], user: str) -> None:
        first, users[user] = not users, None
        if first:
            wait_s = max(0.0, self._last.get(stream, 0.0) + _EVERY_S - self._clock.monotonic())
            asyncio.get_running_loop().call_later(wait_s, self._give, stream)

    def _give(self, stream: str) -> None:
        users = self._rose.pop(stream, {})
        if len(self._last) > _MOST_TYPING:
            self._last.clear()
        self._last[stream] = self._clock.monotonic()
        rows = [
            {
                "user": user,
                "delivered": self._book.delivered(user, stream),
                "read": self._read(user, stream),
            }
            for user in users
        ]
        self._signals.give(RECEIPTS, stream, stream=stream, rows=rows)
        self._tell(stream, rows)

    def _read(self, user: str, stream: str) -> int:
        tally = self._rooms.inboxes.tally(Stream.parse(stream).channel)
        post = None if tally is None else tally.post_of(user)
        return max(self._book.read_upto(user, stream).seq, 0 if post is None else post.seq)

    def _heard(self, said: Mapping[str, Any]) -> None:
        if said["stream"]:
            self._tell(said["stream"], said["rows"])

    def _tell(self, stream: str, rows: Any) -> None:
        holders = self._together.holders(stream.partition(":")[2])
        for row in rows if holders else ():
            receipt = talk.Receipt(
                stream=stream, user=row["user"], delivered=row["delivered"], read=row["read"]
            )
            for holder in holders:
                holder.send(receipt)

    # ── typing ───────────────────────────────────────────────────────────────────────────────────────

    def typing(self, request: talk.Typing, member: Member) -> m.AnyReply | None:
        """Somebody types. Raises `not_found` where that is none of their rooms."""
        stream = Stream.parse(request.stream)
        answer = None if request.id is None else m.Ok(id=request.id)
        if stream.kind is not Kind.CHAT or self._viewers(request.stream) > MOST_VIEWERS:
            return answer
        if not self._rooms.readable(member.grants, stream.channel).ranges and is_room(stream):
            raise TouchlineError("not_found", f"There is no stream {request.stream[:150]}.")
        now, key = self._clock.monotonic(), (member.user, request.stream)
        if now - self._typed.get(key, float("-inf")) >= _TYPING_S:
            self._typed[key] = now
            self._typed.move_to_end(key)
            if len(self._typed) > _MOST_TYPING:
                self._typed.popitem(last=False)
            self._signals.give(TYPING, request.stream, stream=request.stream, user=member.user)
            self._type(request.stream, member.user)
        return answer

    def _types(self, said: Mapping[str, Any]) -> None:
        if said["stream"] and said["user"]:
            self._type(said["stream"], said["user"])

    def _type(self, stream: str, user: str) -> None:
        message = talk.IsTyping(stream=stream, user=user)
        for holder in self._together.holders(stream.partition(":")[2], but=user):
            holder.send(message)
