"""What viewers ask for beside streams: publish, history, ack, presence; and refusals that come later."""

from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Final, Protocol
from weakref import ref

import msgspec

from consumers.delivery.backfill import History
from consumers.protocol import messages as m
from consumers.protocol.session import Member
from consumers.service.refusals import not_a_reader, refusal
from control.acl import ChannelAcl
from history.changes import check_change, is_change
from kernel.errors import TouchlineError
from kernel.positions import Stream

#: Published events of which a refusal still finds the sender.
MAX_POSTED: Final = 50_000


class Poster(Protocol):
    """Posts events into the ingest topics; done when all in-sync replicas have them."""

    async def post(
        self,
        stream: Stream,
        *,
        event_type: str | None,
        key: str,
        sender: str,
        data: dict[str, Any],
        shared: bool = False,
    ) -> None: ...


class Counts(Protocol):
    """How many watch a stream, over all edges."""

    def viewers(self, stream: str) -> int: ...


class Cursors(Protocol):
    """What each device has acknowledged."""

    def remember(self, user: str, device: str, stream: str, seq: int) -> None: ...


class Sender(Protocol):
    """Whoever published, and can be told what became of it."""

    def send(self, message: m.AnyReply) -> None: ...


class Requests:
    """The replies. None of them raises: what goes wrong is a reply too."""

    def __init__(
        self,
        *,
        poster: Poster,
        history: History,
        readers: ChannelAcl,
        counts: Counts,
        cursors: Cursors,
        new_id: Callable[[], str],
    ) -> None:
        self._poster, self._history, self._readers = poster, history, readers
        self._counts, self._cursors, self._new_id = counts, cursors, new_id
        #: Who published what lately, if still here.
        self._posted: OrderedDict[tuple[str, str, str], ref[Sender]] = OrderedDict()

    async def publish(
        self, request: m.Publish, stream: Stream, member: Member, connection: Sender
    ) -> m.AnyReply:
        """Post an event in the member's name; the reply comes when Kafka has it."""
        key = request.key or self._new_id()
        sender, admin = member.user, member.grants.allows("admin", request.stream)
        if not admin and is_change(stream, request.type):
            try:
                await check_change(self._history, stream, request.data.get("target"), sender)
            except TouchlineError as error:
                return refusal(error, request.id)
        self._posted[sender, request.stream, key] = ref(connection)
        if len(self._posted) > MAX_POSTED:
            self._posted.popitem(last=False)
        try:
            await self._poster.post(
                *(stream,),
                event_type=request.type,
                key=key,
                sender=sender,
                data=request.data,
                shared=not admin,
            )
        except TouchlineError as error:
            return refusal(error, request.id)
        return m.Published(id=request.id, stream=request.stream, key=key)

    def rejected(self, sender: str, message: m.Rejected) -> None:
        """A published event was refused later on: tell who published it, if still here."""
        posted = self._posted.pop((sender, message.stream, str(message.key)), None)
        if posted is not None and (connection := posted()) is not None:
            connection.send(message)

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

    def presence(self, request: m.Presence) -> m.PresenceReply:
        """How many watch a stream now."""
        viewers = self._counts.viewers(request.stream)
        return m.PresenceReply(id=request.id, stream=request.stream, viewers=viewers)
