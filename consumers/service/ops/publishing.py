"""What viewers publish: on which lane, in whose name, what they are told, and what is refused later."""

import asyncio
import secrets
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any, Final, Protocol
from weakref import ref

from consumers.delivery.backfill import History
from consumers.protocol import messages as m
from consumers.protocol.session import Member
from consumers.service.error_replies import refusal, refusal_of_the_fold
from control.channels.channel import Layout
from control.commands.answers import Asking, NotAnswered, Refused, judged
from control.inbox.about import about_header
from control.moderation.moderation import Moderation
from control.numbering import Numbering, Placed, Position
from control.rooms.membership import ALL
from control.rooms.rooms import Rooms
from control.rooms.state import is_room
from history.changes import Change, Polls, check_change, check_no_poll, is_change, must_be_there
from history.replies import FIELD as REPLY_TO
from history.replies import check_reply
from kernel.access.signing import Signer
from kernel.access.users import USER, check_post
from kernel.errors import TouchlineError
from kernel.fairness.budgets import DoorBudgets
from kernel.log.positions import Kind, Stream, spread
from kernel.log.recent import RecentKeys
from kernel.log.records import OFFICE, VIA, Headers
from kernel.process.tracing import Tracing, header_of
from kernel.settings.reading import Auth
from schemas.checks import OF_OFFICE
from schemas.ingest import make_ingest, read_time

#: Published events of which a refusal still finds the sender.
MAX_POSTED: Final = 50_000


class Poster(Protocol):
    """Posts events into the ingest topics; done when all in-sync replicas have them."""

    async def post(self, stream: Stream, event: dict[str, Any], headers: Headers | None = None) -> Placed: ...


class Channels(Protocol):
    """What is known of channels that matters for what is posted."""

    numbering: Numbering
    rooms: Rooms
    moderation: Moderation

    @property
    def crowd(self) -> Polls:
        """What is voted on."""

    def layout(self, name: str) -> Layout:
        """How a channel is spread."""


class Attachments(Protocol):
    """Who knows which attachments may go with a message."""

    async def check(
        self, attachments: Sequence[str], stream: Stream, user: str, *, anybodys: bool
    ) -> None: ...


class Sender(Protocol):
    """Whoever published, and can be told what became of it."""

    def send(self, message: m.AnyReply) -> None: ...


class Publishing:
    """Publishes for viewers. Nothing of it raises: what goes wrong is a reply too."""

    def __init__(
        self,
        *,
        poster: Poster,
        history: History,
        channels: Channels,
        answers: Asking,
        budgets: DoorBudgets,
        attachments: Attachments,
        signer: Signer | None = None,
        tracing: Tracing | None = None,
    ) -> None:
        self._budgets, self._attachments, self._tracing = budgets, attachments, tracing
        self._signer = signer or Signer(Auth())
        self._poster, self._history, self._channels = poster, history, channels
        self._answers = answers
        self._recent = RecentKeys()
        #: Who published what lately, if still here.
        self._posted: OrderedDict[tuple[str, str, str], ref[Sender]] = OrderedDict()
        #: Refusals that came before Kafka's word that it has the event, by what is posted just now.
        self._early: dict[tuple[str, str, str], list[m.Rejected]] = {}

    async def publish(
        self, request: m.Publish, stream: Stream, member: Member, connection: Sender, size: int = 0
    ) -> m.AnyReply:
        """Post an event of this size for the member; the reply comes when Kafka has it, or it is accepted."""
        key = request.key or secrets.token_urlsafe(12)
        lanes = self._channels.layout(stream.channel).lanes
        target = spread(stream, lanes, sender=member.user, key=key)
        admin = member.grants.allows("admin", "*")
        span = None
        try:
            bound = self._budgets.bound(member.user, admin=admin)
            self._budgets.take_event(bound, size)
            # Of a user who has a share of the pipeline, which the workers keep to.
            headers: Headers = [] if bound is None else [(VIA, b"edge")]
            event = _event(request, stream, member, key)
            if self._tracing is not None:  # whoever may speak for others decides what is traced
                asked, trusted = request.traceparent, bound is None
                span = self._tracing.begin(f"publish {stream.kind}", asked, trusted=trusted)
                headers += [] if span is None else [header_of(span)]
            if is_room(stream):  # whoever is not in it is told of no room
                await self._channels.rooms.writable(member.user, stream.channel)
            self._channels.moderation.check_may_publish(stream.channel, member.user)
            if stream.kind is Kind.CHAT and (reply_to := request.data.get(REPLY_TO)) is not None:
                spans = (
                    self._channels.rooms.readable(member.grants, stream.channel) if is_room(stream) else ALL
                )
                self._budgets.take_read(bound)
                await check_reply(self._history, stream, reply_to, lanes=lanes, readable=spans)
            if is_change(stream, request.type):
                check_no_poll(self._channels.crowd, stream, request.type, request.data.get("target"))
                headers += await self._about(request, stream, member, lanes, bound)
            if stream.kind is Kind.CHAT and (attached := request.data.get("attachments")):
                speaks = member.grants.allows("admin", request.stream)
                await self._attachments.check(attached, stream, member.user, anybodys=speaks)
            position: Position | None
            if request.wait is not None:
                position = await self._accepted(target, event, headers, (member.user, key, connection))
            else:
                position = await self._delivered(target, event, headers, (member.user, key, connection))
        except Refused as refused:
            return refusal_of_the_fold(refused, request.id)
        except TouchlineError as error:
            return refusal(error, request.id)
        finally:
            if span is not None:
                span.end()
        if position is None:
            return m.Published(id=request.id, stream=str(target), key=key)
        return m.Published(
            id=position.id if request.id is None else request.id,
            stream=str(target),
            key=key,
            seq=position.seq,
            event_id=position.id,
        )

    async def _about(
        self, request: m.Publish, stream: Stream, member: Member, lanes: int, bound: str | None
    ) -> Headers:
        """Look up what is to be changed: a read of `bound`. The fold is told which one of a room it is."""
        anybodys, target = self._changes_all(member, stream), request.data.get("target")
        office: Headers = [(OFFICE, b"edge")] if anybodys and request.type in OF_OFFICE else []
        if anybodys and not is_room(stream) and not must_be_there(request.type):
            return office
        self._budgets.take_read(bound)
        change = Change(target, request.type)
        n = await check_change(self._history, stream, change, member.user, lanes=lanes, anybodys=anybodys)
        about = about_header(self._signer, stream.channel, str(target), n) if is_room(stream) and n else []
        return [*about, *office]

    def _changes_all(self, member: Member, stream: Stream) -> bool:
        """Whether a member may change what others have said: an administrator, or who leads the room."""
        return member.grants.allows("admin", str(stream)) or (
            is_room(stream) and self._channels.rooms.led_by(member.user, stream.channel)
        )

    def rejected(self, sender: str, message: m.Rejected) -> None:
        """A published event was refused later on: tell who published it, if still here."""
        what = (sender, message.stream, str(message.key))
        if what in self._early:  # the fold was faster than Kafka's word to this edge: `published` goes first
            self._early[what].append(message)
            return
        posted = self._posted.pop(what, None)
        if posted is not None and (connection := posted()) is not None:
            connection.send(message)

    async def _delivered(
        self, stream: Stream, event: dict[str, Any], headers: Headers, by: tuple[str, str, Sender]
    ) -> Position | None:
        again = self._recent.again(str(stream), by[1])
        self._note(stream, by)
        what = (by[0], str(stream), by[1])
        early = self._early.setdefault(what, [])
        try:
            at = await self._poster.post(stream, event, headers or None)
        finally:
            self._early.pop(what, None)
            for message in early:
                asyncio.get_running_loop().call_soon(self.rejected, by[0], message)
            early.clear()
        # Of what was posted here a moment ago under the same key the first one counts, wherever it lies.
        return None if again else self._channels.numbering.position(stream.kind, stream.channel, at)

    async def _accepted(
        self, stream: Stream, event: dict[str, Any], headers: Headers, by: tuple[str, str, Sender]
    ) -> Position:
        """Wait for the fold's word. Raises Refused, or `unavailable` where it does not come in time."""

        async def post(asked: Headers) -> None:
            # Not before: what is not posted is not there to be repeated.
            self._recent.again(str(stream), by[1])
            await self._poster.post(stream, event, [*asked, *headers])

        try:
            return await judged(self._answers, post)
        except NotAnswered:
            self._note(stream, by)  # a refusal may still come
            raise

    def _note(self, stream: Stream, by: tuple[str, str, Sender]) -> None:
        """Keep who has posted this."""
        sender, key, connection = by
        self._posted[(sender, str(stream), key)] = ref(connection)
        if len(self._posted) > MAX_POSTED:
            self._posted.popitem(last=False)


def _event(request: m.Publish, stream: Stream, member: Member, key: str) -> dict[str, Any]:
    """The event as it goes to the log. Raises `invalid_event`; `forbidden` where only a role may post it."""
    sender: str | None = member.user
    if member.grants.anonymous and member.grants.allows("admin", "*") and stream.channel.startswith(USER):
        sender = None  # the operator has no name: there it means the channel's user
    check_post(stream.channel, sender, request.type, signs=is_room(stream))
    return make_ingest(
        stream.kind,
        request.type,
        request.data,
        key=key,
        sender=sender,
        client_ts=read_time(request.client_ts),
    )
