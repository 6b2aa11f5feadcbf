"""A viewer's WebSocket: bytes in through `websockets`' parser, effects out, frames to the transport.

An idle viewer costs this object and the transport: the parser exists only while a message is incomplete.
"""

import asyncio
from collections.abc import Coroutine, Iterable, Iterator
from typing import Any, Final, cast

from websockets.protocol import Protocol as Wire

from consumers.delivery.events import Events
from consumers.delivery.subscription import Subscription
from consumers.protocol import effects as e
from consumers.protocol import messages as m
from consumers.protocol import session as s
from consumers.service.error_replies import refusal
from consumers.service.service import Service
from consumers.transport.frames import PING, text_frame
from consumers.transport.incoming import Incoming
from consumers.transport.outgoing import Outgoing
from control.rooms.state import is_room
from kernel.close_codes import Close
from kernel.errors import TouchlineError
from kernel.fairness.fair import WHOSE
from kernel.log.positions import Stream

#: What one viewer may have under way at once: an event counts one for each 8 KiB, all else that takes time 8.
MAX_UNDER_WAY: Final = 256
_UNIT: Final = 8 * 1024
_REQUEST: Final = 8


class ViewerConnection(Outgoing):
    """One viewer."""

    __slots__ = ("__weakref__", "_incoming", "_size", "_under_way", "address", "device", "id", "session")

    def __init__(
        self,
        service: Service,
        transport: asyncio.Transport,
        *,
        session_id: str,
        session: s.Session,
        address: str,
        device: str,
    ) -> None:
        super().__init__(service, transport)
        self.id, self.session, self.address, self.device = session_id, session, address, device
        self._incoming: Incoming | None = None
        self._under_way = 0
        #: Bytes of the frame that is being looked at.
        self._size = 0

    # ── from the transport ───────────────────────────────────────────────────────────────────────────

    def data_received(self, data: bytes) -> None:
        self.session.alive(self._service.clock.monotonic())
        if (incoming := self._incoming) is None:
            incoming = self._incoming = Incoming(self._service.edge.max_frame_bytes)
        incoming.add(data)
        if incoming.lined_up:
            return
        WHOSE.set(self._whose)  # also of what is begun for them
        turns = self._service.turns
        if turns.free() and not incoming.work(self):
            self._done(incoming)
            return
        # The rest is done in later turns, and no more is read before.
        incoming.lined_up = True
        if not self._transport.is_closing():
            self._transport.pause_reading()
        turns.add(self._whose, self._go_on)

    def pause_writing(self) -> None:
        # Whoever does not read is not read from: what they ask for has to wait somewhere.
        if not self._transport.is_closing():
            self._transport.pause_reading()
        self.pause()

    def resume_writing(self) -> None:
        if self._transport.is_closing():
            return
        self.takes_more()
        self._read_on()
        self.session.alive(self._service.clock.monotonic())
        for subscription in list(self.subscriptions):
            subscription.advance(self._service.subscriptions.backfill)

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self._incoming = None
        super().connection_lost(exc)
        self._service.admission.gone(self)
        if isinstance(self.session, s.Member):
            self._service.messenger.left(self, self.session)
            self._service.subscriptions.leave_all(self.session)
            self._service.nearby.gone(self)
            self._service.feeds.gone(self)

    @property
    def fragments(self) -> list[bytes]:
        """What has come of a message that is not complete."""
        return [] if self._incoming is None else self._incoming.fragments or []

    # ── for subscriptions (it is their Holder) ───────────────────────────────────────────────────────

    @property
    def outlet(self) -> "ViewerConnection":
        return self

    def deliver(self, stream: str, events: Events) -> None:  # noqa: ARG002 - frames say it themselves
        self.write(events.chunk)

    @property
    def subscriptions(self) -> "list[Subscription]":
        of = self.session
        return [*of.streams.values(), *of.followed.values()] if isinstance(of, s.Member) else []

    def refused(self, subscription: Subscription, error: TouchlineError) -> None:
        request, member = subscription.request, self.session
        if subscription.follows and isinstance(member, s.Member):
            self._service.messenger.failed(subscription.audience.name, member, self)
        elif request is None:
            self.end(Close.UNAVAILABLE)
        else:
            if isinstance(member, s.Member):
                self._service.subscriptions.leave(member, request.stream)
            self.send(m.error("unavailable", error.message, request_id=request.id))

    # ── from the session ─────────────────────────────────────────────────────────────────────────────

    def tick(self, now: float, now_s: float) -> None:
        """Time passed: heartbeats, the token's end, and whether a full socket drains at all."""
        session = self.session
        # Who reads slowly may be paused at every look: the token ends all the same.
        ended = isinstance(session, s.Member) and session.expired(now_s) and not self._transport.is_closing()
        if self.paused and not ended:
            self.watch_stall(now)
            return
        self.perform(session.tick(now, now_s) if isinstance(session, s.Member) else session.tick(now))

    def pause(self) -> None:
        super().pause()
        for subscription in self.subscriptions:
            subscription.pause()

    def perform(self, effects: Iterable[e.Effect]) -> None:
        """Do what a session asks for in either state."""
        for effect in effects:
            if not self._do(effect):
                return

    def perform_for(self, member: s.Member, effects: Iterable[e.MemberEffect | e.Effect]) -> None:
        """Do what this member asks for."""
        for effect in effects:
            if not self._do_for(member, effect):
                return

    def _do_for(self, member: s.Member, effect: e.MemberEffect | e.Effect) -> bool:  # noqa: PLR0912
        """The same for one thing; whether anything may follow."""
        subscriptions, messenger = self._service.subscriptions, self._service.messenger
        match effect:
            case e.Watch(request, stream):
                messenger.watches(request, self)
                whom, closing = (self, member, request, stream), self._transport.is_closing
                if is_room(stream):
                    self._start(request.id, subscriptions.watch_room(*whom, gone=closing))
                else:
                    self._reply(subscriptions.watch(*whom))
            case e.Oversee(request):
                subscriptions.oversee(self, member, request)
            case e.Leave(request_id, name):
                messenger.leaves(name, member, self)
                subscriptions.leave(member, name)
                self._reply(None if request_id is None else m.Ok(id=request_id))
            case e.Post(posted, stream):
                work = self._service.publishing.publish(posted, stream, member, self, self._size)
                self._start(posted.id, work, -(-self._size // _UNIT))
            case e.ReadPast(asked, stream):
                self._start(asked.id, self._read_past(asked, stream, member))
            case e.DoInRoom(asked_for):
                self._start(asked_for.id, self._service.rooms.do(asked_for, member))
            case e.AskNearby(near):
                self._start(near.id, self._service.nearby.do(near, member, self, self._size))
            case e.AskFeed(feed):
                self._start(feed.id, self._service.feeds.do(feed, member, self))
            case e.TakePart(part, stream):
                crowd = self._service.crowd
                if not crowd.applauds(part, stream, member, self, self._size):
                    self._start(part.id, crowd.do(part, stream, member, self._size))
            case e.CountViewers(asked) if asked.members:
                self._start(asked.id, messenger.presence(asked, member))
            case e.CountViewers(asked):
                self._reply(self._service.requests.presence(asked, member))
            case e.Remember(ack):
                places = self._service.places
                if not places.acked(ack, member, self.device):
                    self._start(ack.id, places.ack(ack, member, self.device))
                elif ack.id is not None:
                    self.send(m.Ok(id=ack.id))
            case e.Converse(said):
                self._start(said.id, messenger.do(said, member, self))
            case _:
                return self._do(effect)
        return True

    def _do(self, effect: e.Effect) -> bool:
        """Whether anything may follow."""
        match effect:
            case e.Send(payload):
                self.write(text_frame(payload))
            case e.Verify(request_id, token):
                self._start(request_id, self._authenticate(request_id, token))
            case e.SendPing():
                self.write(PING)
            case e.End(code):
                self.end(code)
                return False
        return True

    # ── for what has come (it is its Owner) ──────────────────────────────────────────────────────────

    def count_frame(self, *, bad: bool) -> None:
        self.perform(self.session.count_frame(self._service.clock.monotonic(), bad=bad))

    def receive(self, text: str, size: int) -> Iterator[e.MemberEffect | e.Effect]:
        self._size = size
        return self.session.receive(text, self._service.clock.monotonic())

    def do(self, asked: e.MemberEffect | e.Effect) -> None:
        if isinstance(self.session, s.Member):
            self._do_for(self.session, asked)
        else:
            self._do(cast("e.Effect", asked))

    def over(self) -> bool:
        return self._service.turns.over()

    def answer(self, wire: Wire) -> None:
        for out in wire.data_to_send():
            if out:
                self.write(out)
            else:
                self.count_close(wire.close_sent.code if wire.close_sent else 1006)
                self.close()

    # ── inside ───────────────────────────────────────────────────────────────────────────────────────

    @property
    def _whose(self) -> str:
        """Whose turns it takes: a user's, or those of strangers from one address."""
        return self.session.user if isinstance(self.session, s.Member) else f"\0{self.address}"

    def _go_on(self) -> bool:
        """Another turn; whether there is more."""
        incoming = self._incoming
        if incoming is None:  # the connection is lost
            return False
        WHOSE.set(self._whose)
        if incoming.work(self):
            return True
        incoming.lined_up = False
        self._done(incoming)
        self._read_on()
        return False

    def _done(self, incoming: Incoming) -> None:
        if self._incoming is incoming and incoming.at_rest:
            self._incoming = None

    def _read_on(self) -> None:
        """Unless something of before waits for its turn, or for the socket."""
        lined_up = self._incoming is not None and self._incoming.lined_up
        if not (lined_up or self.paused or self._transport.is_closing()):
            self._transport.resume_reading()

    def _reply(self, message: m.AnyReply | None) -> None:
        if message is not None:
            self.send(message)

    def _start(
        self, request_id: int | None, work: Coroutine[Any, Any, m.AnyReply | None], counts: int = _REQUEST
    ) -> None:
        """Do what takes time, and send its reply; so much at once and no more."""
        if self._under_way + counts > MAX_UNDER_WAY:
            work.close()
            wait = "Wait for replies: as much is under way as may be."
            self.send(m.error("rate_limited", wait, request_id=request_id))
            return
        self._under_way += counts

        async def run() -> None:
            try:
                reply = await work
            finally:
                self._under_way -= counts
            self._reply(reply)

        self._service.tasks.spawn(run())

    async def _read_past(self, asked: m.History, stream: Stream, member: s.Member) -> m.AnyReply | None:
        """A page counts until it has been taken: whoever reads nothing cannot have many of them."""
        requests = self._service.requests
        try:
            async with requests.page(member):
                self.send(await requests.history(asked, stream, member))
                await self.taken()
        except TouchlineError as error:
            return refusal(error, asked.id)
        return None

    async def _authenticate(self, request_id: int | None, token: str) -> m.AnyReply | None:
        """A guest's token that is no good ends the connection; a member's leaves it as it was."""
        admission = self._service.admission
        try:
            grants = await admission.tokens.grants(token)
            session = self.session  # as it is now: two tokens may have been shown at once
            if isinstance(session, s.Guest):
                self.session = admission.admit(session, grants)
                self._service.messenger.came(self, self.session)
            else:
                self.perform_for(session, session.renew(grants))
                self._service.messenger.renewed(self)
        except TouchlineError as error:
            if error.code == "limit_reached":
                self.end(Close.FULL)
            elif isinstance(self.session, s.Guest):
                self.end(Close.BAD_TOKEN)
            else:
                return m.error("unauthorized", error.message, request_id=request_id)
            return None
        return m.Ok(id=request_id, user=grants.user)
