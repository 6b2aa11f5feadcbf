"""What viewers ask for beside streams and publishing: history, ack, presence."""

from typing import Protocol

import msgspec

from consumers.delivery.backfill import History
from consumers.protocol import messages as m
from consumers.protocol.session import Member
from consumers.service.refusals import not_a_reader, refusal
from control.acl import ChannelAcl
from kernel.errors import TouchlineError
from kernel.positions import Stream


class Counts(Protocol):
    """How many watch a stream, over all edges."""

    def viewers(self, stream: str) -> int: ...


class Cursors(Protocol):
    """What each device has acknowledged."""

    def remember(self, user: str, device: str, stream: str, seq: int) -> None: ...


class Requests:
    """The replies. None of them raises: what goes wrong is a reply too."""

    def __init__(self, *, history: History, readers: ChannelAcl, counts: Counts, cursors: Cursors) -> None:
        self._history, self._readers = history, readers
        self._counts, self._cursors = counts, cursors

    async def history(self, request: m.History, stream: Stream, member: Member) -> m.AnyReply:
        """A page of history, complete up to the head."""
        if not self._readers.allow(member.grants, stream.channel):
            return not_a_reader(request.id, request.stream)
        try:
            page = await self._history.read(
                stream, after=request.after, before=request.before, limit=request.limit
            )
        except TouchlineError as error:
            return refusal(error, request.id)
        events = [msgspec.Raw(body) for body in page.events]
        return m.HistoryReply(id=request.id, stream=request.stream, events=events, more=page.more)

    def ack(self, request: m.Ack, member: Member, device: str) -> m.Ok | None:
        """Keep up to where this device has a stream; no reply to what has no id."""
        if not member.grants.anonymous:  # nobody could come back for it
            self._cursors.remember(member.user, device, request.stream, request.seq)
        return None if request.id is None else m.Ok(id=request.id)

    def presence(self, request: m.Presence, member: Member) -> m.AnyReply:
        """How many watch a stream now."""
        if not self._readers.allow(member.grants, Stream.parse(request.stream).channel):
            return not_a_reader(request.id, request.stream)
        viewers = self._counts.viewers(request.stream)
        return m.PresenceReply(id=request.id, stream=request.stream, viewers=viewers)
