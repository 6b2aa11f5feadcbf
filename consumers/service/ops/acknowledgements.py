"""`ack` and `read`: what devices have, and what users have read; bounded by what there is."""

import asyncio
import contextlib
from collections import OrderedDict
from collections.abc import Mapping
from typing import Final, Protocol

import msgspec

from consumers.delivery.backfill import History
from consumers.protocol import inbox as talk
from consumers.protocol import messages as m
from consumers.protocol.session import Member
from consumers.service.error_replies import not_a_reader, refusal
from control.channels.acl import ChannelAcl
from control.inbox.unread import ReadUpTo
from control.rooms.rooms import WITHIN_S, Rooms
from control.rooms.state import is_room
from kernel.access.users import NOTIFY
from kernel.errors import TouchlineError
from kernel.log.positions import MAX_SEQ, Kind, Stream, split_lane

#: Streams of which it is remembered how far they go.
MAX_HEADS: Final = 10_000
_STEP_S: Final = 0.02
_JUST_NOW_S: Final = 0.3
#: Events that are read to find the last message before a place: changes of messages have no number.
_LOOKED_AT: Final = 100


class Book(Protocol):
    """What devices have acknowledged and users have read."""

    def acked(self, user: str, device: str, stream: str, seq: int) -> None: ...

    def read(self, user: str, device: str, stream: str, upto: ReadUpTo) -> None: ...


class PlaceRequests:
    """The replies. None of them raises: what goes wrong is a reply too."""

    def __init__(self, *, history: History, readers: ChannelAcl, rooms: Rooms, book: Book) -> None:
        self._history, self._readers, self._rooms, self._book = history, readers, rooms, book
        #: How far streams go that were asked for in history; they only ever go further.
        self._heads: OrderedDict[str, int] = OrderedDict()

    # ── ack ──────────────────────────────────────────────────────────────────────────────────────────

    def acked(self, request: m.Ack, member: Member, device: str) -> bool:
        """Keep up to where this device has streams, if it is known here that they go so far."""
        seqs = seqs_of(request)
        for stream, seq in seqs.items():
            parsed = Stream.parse(stream)
            if not self._readers.allow(member.grants, parsed.channel):
                return False
            if seq > self._known_head(parsed, member):
                return False
        if not member.grants.anonymous:  # nobody could come back for it
            for stream, seq in seqs.items():
                self._book.acked(member.user, device, stream, seq)
        return True

    async def ack(self, request: m.Ack, member: Member, device: str) -> m.AnyReply | None:
        """The same where this edge may be behind: it asks how far they go."""
        try:
            for stream, seq in seqs_of(request).items():
                if (refused := await self._check(request.id, stream, seq, member)) is not None:
                    return refused
        except TouchlineError as error:
            return refusal(error, request.id)
        if not member.grants.anonymous:
            for stream, seq in seqs_of(request).items():
                self._book.acked(member.user, device, stream, seq)
        return None if request.id is None else m.Ok(id=request.id)

    # ── read ─────────────────────────────────────────────────────────────────────────────────────────

    async def read(self, request: talk.Read, member: Member, device: str) -> m.AnyReply | None:
        """The user has read a stream up to here, on whatever device."""
        stream = Stream.parse(request.stream)
        try:
            if not _is_tallied(stream):
                sentence = "What is read is kept of rooms, and of one's notifications."
                return m.error("bad_request", sentence, request_id=request.id)
            refused = await self._check(request.id, request.stream, request.seq, member)
            if refused is not None:
                return refused
            if not member.grants.anonymous and request.seq:
                # Of notifications it is a short cut: they may be older than what is kept of them.
                wanted = is_room(stream) or self._tallied_head(stream) >= request.seq
                n = await self._number_at(stream, request.seq) if wanted else 0
                self._book.read(member.user, device, request.stream, ReadUpTo(request.seq, n))
        except TouchlineError as error:
            return refusal(error, request.id)
        return None if request.id is None else m.Ok(id=request.id)

    async def _number_at(self, stream: Stream, seq: int) -> int:
        """The number of the last message up to a place. Raises `unavailable`."""
        await self._tally_has(stream, seq)
        tally = self._rooms.inboxes.tally(stream.channel)
        known = None if tally is None else tally.n_at(seq)
        before = seq + 1
        while known is None:
            page = await self._history.read(stream, before=before, limit=_LOOKED_AT)
            numbers = [_event(body).n for body in page.events]
            known = max(numbers, default=0) or (None if page.more and page.seqs else 0)
            before = page.seqs[0] if page.seqs else 0
        return known

    async def _tally_has(self, stream: Stream, seq: int) -> None:
        """Wait until the tally has an event that is on the log. Raises `unavailable`."""
        try:
            async with asyncio.timeout(WITHIN_S):
                while self._tallied_head(stream) < seq:  # noqa: ASYNC110
                    await asyncio.sleep(_STEP_S)
        except TimeoutError:
            raise TouchlineError("unavailable", "This is not counted yet: try again in a moment.") from None

    async def _comes(self, stream: Stream, seq: int) -> bool:
        """Whether an event comes to be counted that the fold may just have accepted."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_JUST_NOW_S):
                while self._tallied_head(stream) < seq:  # noqa: ASYNC110
                    await asyncio.sleep(_STEP_S)
        return self._tallied_head(stream) >= seq

    # ── how far streams go ───────────────────────────────────────────────────────────────────────────

    async def _check(self, request_id: int | None, stream: str, seq: int, member: Member) -> m.Error | None:
        """Why a place cannot be: it is beyond the stream's head, or not theirs to read. Raises."""
        parsed = Stream.parse(stream)
        if is_room(parsed):
            await self._rooms.seen_by(member.grants, parsed.channel.removeprefix("room-"))
        elif not self._readers.allow(member.grants, parsed.channel):
            return not_a_reader(request_id, stream)
        if seq <= self._known_head(parsed, member):
            return None
        if _is_tallied(parsed):
            await self._rooms.fresh()
            if seq <= self._tallied_head(parsed):
                return None
        page = await self._history.read(parsed, before=MAX_SEQ, limit=1)
        if page.seqs:
            self._heads[stream] = page.seqs[-1]
            self._heads.move_to_end(stream)
            if len(self._heads) > MAX_HEADS:
                self._heads.popitem(last=False)
        if seq <= self._heads.get(stream, 0) or (_is_tallied(parsed) and await self._comes(parsed, seq)):
            return None
        sentence = f"{stream} has no event {seq} yet: nobody has it."
        return m.error("bad_request", sentence, request_id=request_id)

    def _known_head(self, stream: Stream, member: Member) -> int:
        head = self._tallied_head(stream) if _is_tallied(stream) else 0
        return max(head, self._heads.get(str(stream), 0), _seen(member, stream))

    def _tallied_head(self, stream: Stream) -> int:
        tally = self._rooms.inboxes.tally(stream.channel)
        return 0 if tally is None else tally.seq


def _is_tallied(stream: Stream) -> bool:
    """Whether it is kept what a stream has come to: a room's, and what a user is told."""
    return is_room(stream) or (stream.kind is Kind.BROADCAST and stream.channel.startswith(NOTIFY))


class _Event(msgspec.Struct):
    n: int = 0


_event: Final = msgspec.json.Decoder(_Event).decode


def seqs_of(request: m.Ack) -> Mapping[str, int]:
    """The places that are acknowledged."""
    if request.seqs is not None:
        return request.seqs
    return {} if request.stream is None or request.seq is None else {request.stream: request.seq}


def _seen(member: Member, stream: Stream) -> int:
    """How far the stream goes, as the ring that this member watches it by has it; 0: it does not watch it."""
    whole = str(Stream(stream.kind, split_lane(stream.channel)[0]))
    for name in (str(stream), whole):
        subscription = member.streams.get(name) or member.followed.get(name)
        if subscription is not None:
            for feed in subscription.audience.feeds:
                if feed.stream == str(stream):
                    return max(int(feed.ring.head), int(feed.passed))
    return 0
