"""What viewers ask for beside streams and publishing: history, ack, presence."""

from collections import OrderedDict
from contextlib import AbstractAsyncContextManager
from typing import Final, Protocol

import msgspec

from consumers.protocol import messages as m
from consumers.protocol.session import Member
from consumers.service.refusals import not_a_reader, refusal
from control.channels.acl import ChannelAcl
from control.rooms.rooms import Rooms
from control.rooms.state import is_room
from history.visible import Reader, read_visible
from kernel.errors import TouchlineError
from kernel.fairness.budgets import DoorBudgets
from kernel.fairness.slots import Slots
from kernel.log.positions import MAX_SEQ, Stream, split_lane

#: Streams of which it is remembered how far they go.
MAX_HEADS: Final = 10_000


class Counts(Protocol):
    """How many watch a stream, over all edges."""

    def viewers(self, stream: str) -> int: ...


class Cursors(Protocol):
    """What each device has acknowledged."""

    def remember(self, user: str, device: str, stream: str, seq: int) -> None: ...


class Requests:
    """The replies. None of them raises: what goes wrong is a reply too."""

    def __init__(
        self,
        *,
        history: Reader,
        readers: ChannelAcl,
        rooms: Rooms,
        counts: Counts,
        cursors: Cursors,
        budgets: DoorBudgets,
        pages: Slots,
    ) -> None:
        self._history, self._readers, self._rooms = history, readers, rooms
        self._counts, self._cursors = counts, cursors
        self._budgets, self._pages = budgets, pages
        #: How far streams go that were asked for in history; they only ever go further.
        self._heads: OrderedDict[str, int] = OrderedDict()

    async def history(self, request: m.History, stream: Stream, member: Member) -> m.AnyReply:
        """A page of history, complete up to the head."""
        if not is_room(stream) and not self._readers.allow(member.grants, stream.channel):
            return not_a_reader(request.id, request.stream)
        user = self._bound(member)
        try:
            self._budgets.take_read(user)
            page = await read_visible(
                *(self._history, self._rooms, member.grants, stream),
                after=request.after,
                before=request.before,
                limit=request.limit,
                replies_to=request.replies_to or "",
            )
            self._budgets.count_read(user, sum(map(len, page.events)))
        except TouchlineError as error:
            return refusal(error, request.id)
        events = [msgspec.Raw(body) for body in page.events]
        return m.HistoryReply(id=request.id, stream=request.stream, events=events, more=page.more)

    def acked(self, request: m.Ack, member: Member, device: str) -> bool:
        """Keep up to where this device has a stream, if it is known here that the stream goes so far."""
        stream = Stream.parse(request.stream)
        if not self._readers.allow(member.grants, stream.channel):
            return False
        if request.seq > self._heads.get(request.stream, 0) and request.seq > _seen(member, stream):
            return False
        if not member.grants.anonymous:  # nobody could come back for it
            self._cursors.remember(member.user, device, request.stream, request.seq)
        return True

    async def ack(self, request: m.Ack, member: Member, device: str) -> m.AnyReply | None:
        """The same where this edge may be behind: history knows the stream's head."""
        stream = Stream.parse(request.stream)
        if not self._readers.allow(member.grants, stream.channel):
            return not_a_reader(request.id, request.stream)
        try:
            page = await self._history.read(stream, before=MAX_SEQ, limit=1)
        except TouchlineError as error:
            return refusal(error, request.id)
        if page.seqs:
            self._heads[request.stream] = page.seqs[-1]
            self._heads.move_to_end(request.stream)
            if len(self._heads) > MAX_HEADS:
                self._heads.popitem(last=False)
        if not self.acked(request, member, device):
            sentence = f"{request.stream} has no event {request.seq} yet: nobody has it."
            return m.error("bad_request", sentence, request_id=request.id)
        return None if request.id is None else m.Ok(id=request.id)

    def presence(self, request: m.Presence, member: Member) -> m.AnyReply:
        """How many watch a stream now; who may not read it is not told."""
        if not self._readers.allow(member.grants, Stream.parse(request.stream).channel):
            return not_a_reader(request.id, request.stream)
        viewers = self._counts.viewers(request.stream)
        return m.PresenceReply(id=request.id, stream=request.stream, viewers=viewers)

    def page(self, member: Member) -> AbstractAsyncContextManager[None]:
        """A page is on its way to a member, from when it is asked for until it is taken. Raises."""
        return self._pages.slot(self._bound(member))

    def _bound(self, member: Member) -> str | None:
        return self._budgets.bound(member.user, admin=member.grants.allows("admin", "*"))


def _seen(member: Member, stream: Stream) -> int:
    """How far the stream goes, as the ring that this member watches it by has it; 0: it does not watch it."""
    whole = str(Stream(stream.kind, split_lane(stream.channel)[0]))
    for name in (str(stream), whole):
        if (subscription := member.streams.get(name)) is not None:
            for feed in subscription.audience.feeds:
                if feed.stream == str(stream):
                    return max(int(feed.ring.head), int(feed.passed))
    return 0
