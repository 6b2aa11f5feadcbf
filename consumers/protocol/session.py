"""The viewer protocol without I/O: text and the time go in, effects come out. It imports no asyncio.

States are types. A `Guest` has not shown who it is: it can authenticate and ping, and has no method for
anything else. `Guest.admit` returns the `Member`, which can do what its grants say. docs/protocol.md §2 and
§3.
"""

from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple, TypeVar, assert_never

from consumers.protocol import crowd as c
from consumers.protocol import effects as e
from consumers.protocol import feed as f
from consumers.protocol import inbox as talk
from consumers.protocol import messages as m
from consumers.protocol import nearby as n
from kernel.access.tokens import Action, Grants, parse_stream
from kernel.close_codes import Close
from kernel.errors import TouchlineError
from kernel.log.positions import OVERVIEW, Kind, Stream

MAX_BAD_IN_A_ROW: Final = 10
BURST_S: Final = 10.0
#: What a frame costs that is no message by itself.
FRAME_COST: Final = 0.1


class Rules(NamedTuple):
    """What an edge's settings say of every session."""

    heartbeat_s: float
    auth_timeout_s: float
    max_messages_per_s: float
    max_subscriptions: int


E = TypeVar("E")


class _Session:
    """What both states do alike: pace, bad requests, heartbeats."""

    __slots__ = ("_alive_at", "_allowance", "_bad", "_pinged_at", "_refilled", "rules")

    def __init__(self, rules: Rules, now: float) -> None:
        self.rules = rules
        self._alive_at = self._refilled = now
        self._allowance = rules.max_messages_per_s * BURST_S
        self._bad = 0
        #: When the viewer was pinged, if silent since.
        self._pinged_at: float | None = None

    def alive(self, now: float) -> None:
        """Bytes came in, of whatever sort: the other side lives."""
        self._alive_at = now
        self._pinged_at = None

    def _pulse(self, now: float) -> list[e.Effect]:
        """Ping who is silent; drop who stays silent (§2.4): a dead peer is found in two heartbeats.

        Counted from the ping: an edge that was stopped for a while has heard nobody, and nobody is to blame.
        """
        heartbeat_s = self.rules.heartbeat_s
        if self._pinged_at is not None:
            return [e.End(Close.TOO_SLOW)] if now - self._pinged_at >= heartbeat_s else []
        if now - self._alive_at < heartbeat_s:
            return []
        self._pinged_at = now
        return [e.SendPing()]

    def _receive(
        self, text: str, now: float, handle: Callable[[m.AnyRequest], list[E | e.Effect]]
    ) -> Iterator[E | e.Effect]:
        """The effects of one line are done before the next line is looked at: it may rest on them."""
        start, end = 0, len(text)
        while start < end or end == 0:
            # One line after the other: of a frame that is too much only its beginning is looked at.
            stop = text.find("\n", start)
            stop = end if stop < 0 else stop
            line, start = text[start:stop], stop + 1
            blank = not line or line.isspace()
            if not self._pay(now):
                if self._too_much:
                    yield e.End(Close.RATE_LIMIT)
                    return
                if not blank:
                    yield e.Send(m.render(m.error("rate_limited")))
                    blank = True
            if blank:
                if end == 0:
                    return
                continue
            try:
                request = m.parse_request(line)
                yield from handle(request)
                self._bad = 0
            except m.BadRequest as bad:
                self._bad += 1
                refusal = m.error(bad.code, bad.message, request_id=bad.request_id)
                yield e.Send(m.render(refusal))
                if self._bad >= MAX_BAD_IN_A_ROW:
                    yield e.End(Close.ABUSE)
                    return

    def count_frame(self, now: float, *, bad: bool = False) -> list[e.Effect]:
        """A frame came that has no line to look at: part of one, a ping, or (`bad`) what is none of ours.

        Each costs a part of a message; a client that sends a message in a hundred pieces is no flood.
        """
        self._pay(now, 1.0 if bad else FRAME_COST)
        if self._too_much:
            return [e.End(Close.RATE_LIMIT)]
        if not bad:
            return []
        self._bad += 1
        said = e.Send(m.render(m.error("bad_request", "Send text frames, not binary ones.")))
        return [said, e.End(Close.ABUSE)] if self._bad >= MAX_BAD_IN_A_ROW else [said]

    @property
    def _too_much(self) -> bool:
        """Half a burst beyond what is allowed is no accident any more."""
        return self._allowance < -self.rules.max_messages_per_s * BURST_S / 2

    def _pay(self, now: float, cost: float = 1.0) -> bool:
        rate = self.rules.max_messages_per_s
        full = rate * BURST_S
        self._allowance = min(full, self._allowance + (now - self._refilled) * rate) - cost
        self._refilled = now
        return self._allowance >= 0


class Guest(_Session):
    """Nobody knows yet who this is."""

    __slots__ = ("_since",)

    def __init__(self, rules: Rules, now: float) -> None:
        super().__init__(rules, now)
        self._since = now

    def receive(self, text: str, now: float) -> Iterator[e.Effect]:
        """A text frame came: what is to be done, to be done one by one."""
        return self._receive(text, now, self._handle)

    def tick(self, now: float) -> list[e.Effect]:
        """Time passed."""
        if now - self._since >= self.rules.auth_timeout_s:
            return [e.End(Close.BAD_TOKEN)]
        return self._pulse(now)

    def admit(self, grants: Grants, now: float) -> "Member":
        """The viewer has shown who they are."""
        return Member(self.rules, now, grants)

    def _handle(self, request: m.AnyRequest) -> list[e.Effect]:
        if isinstance(request, m.Auth):
            return [e.Verify(request.id, request.token)]
        if isinstance(request, m.Ping):
            return [e.Send(m.render(m.Pong(id=request.id)))]
        raise m.BadRequest("unauthorized", "Authenticate first: send auth with a token.", request.id)


class Member(_Session):
    """Somebody who may do what their grants say."""

    __slots__ = ("followed", "grants", "streams")

    def __init__(self, rules: Rules, now: float, grants: Grants) -> None:
        super().__init__(rules, now)
        self.grants = grants
        #: stream -> what the caller keeps for it. Its size is what the limit on subscriptions counts.
        self.streams: dict[str, Any] = {}
        #: The same of rooms that are followed because they are the user's: these do not count.
        self.followed: dict[str, Any] = {}

    @property
    def user(self) -> str:
        return self.grants.user

    def receive(self, text: str, now: float) -> Iterator[e.MemberEffect | e.Effect]:
        """A text frame came: what is to be done, to be done one by one."""
        return self._receive(text, now, self._handle)

    def tick(self, now: float, now_s: float) -> list[e.Effect]:
        """Time passed: monotonic, and the wall's for the token's end."""
        return [e.End(Close.RENEW_TOKEN)] if self.expired(now_s) else self._pulse(now)

    def expired(self, now_s: float) -> bool:
        """Whether the token has run out."""
        return self.grants.expires_s is not None and now_s >= self.grants.expires_s

    def renew(self, grants: Grants) -> list[e.MemberEffect | e.Effect]:
        """A new token came; what it does not allow any more is left (§2.2)."""
        if grants.user != self.grants.user:
            return [e.End(Close.FORBIDDEN)]
        self.grants = grants
        return [e.Leave(None, name) for name in self.streams if not _may_watch(grants, name)]

    def _may(self, action: Action, request: Any) -> Stream:
        return self._may_with(action, request.stream, request.id)

    def _may_with(self, action: Action, name: str, request_id: int | None) -> Stream:
        try:
            stream = parse_stream(name)
        except TouchlineError as error:
            raise m.BadRequest(error.code, error.message, request_id) from None
        if not self.grants.allows(action, name):
            raise m.BadRequest("forbidden", f"Your token does not allow this: {action}.", request_id)
        return stream

    def _check_ack(self, request: m.Ack) -> None:
        one = request.stream is not None and request.seq is not None
        if one == (request.seqs is not None) or (request.stream is None) != (request.seq is None):
            raise m.BadRequest("bad_request", "Give stream and seq, or seqs.", request.id)
        for name in request.seqs or [request.stream or ""]:
            self._may_with("subscribe", name, request.id)

    def _handle(self, request: m.AnyRequest) -> list[e.MemberEffect | e.Effect]:  # noqa: PLR0912 - one branch an op
        match request:
            case m.Subscribe():
                stream = None if request.stream == OVERVIEW else self._may("subscribe", request)
                if not _may_watch(self.grants, request.stream):
                    raise m.BadRequest("forbidden", "The operators' figures need admin on *.", request.id)
                if request.after is not None and request.last is not None:
                    raise m.BadRequest("bad_request", "Give after or last, not both.", request.id)
                if request.stream in self.streams:
                    raise m.BadRequest("bad_request", "You are subscribed to this already.", request.id)
                if len(self.streams) >= self.rules.max_subscriptions:
                    limit = f"One connection may watch {self.rules.max_subscriptions} streams."
                    return [e.Send(m.render(m.error("limit_reached", limit, request_id=request.id)))]
                return [e.Oversee(request) if stream is None else e.Watch(request, stream)]
            case m.Unsubscribe():
                if request.stream not in self.streams:
                    raise m.BadRequest("not_found", "You are not subscribed to this.", request.id)
                return [e.Leave(request.id, request.stream)]
            case m.Publish():
                stream = self._may("publish", request)
                if stream.kind is Kind.BROADCAST and request.type is None:
                    raise m.BadRequest("invalid_event", "A broadcast event needs a type.", request.id)
                return [e.Post(request, stream)]
            case m.History():
                stream = self._may("history", request)
                given = sum(one is not None for one in (request.before, request.after, request.around))
                alone = request.around is not None and request.replies_to is not None
                if alone or (given != 1 and (given or request.replies_to is None)):
                    raise m.BadRequest("bad_request", "Give before, after or around, one.", request.id)
                return [e.ReadPast(request, stream)]
            case m.Ack():
                self._check_ack(request)
                return [e.Remember(request)]
            case talk.Read() | talk.Typing():
                self._may("subscribe" if isinstance(request, talk.Read) else "publish", request)
                return [e.Converse(request)]
            case talk.Sync() | talk.Inbox():
                return [e.Converse(request)]
            case m.Presence():
                self._may("subscribe", request)
                return [e.CountViewers(request)]
            case m.Room():
                return [e.DoInRoom(request)]
            case n.Nearby() | n.Locate() | n.Around():
                return [e.AskNearby(request)]
            case f.Feed():
                return [e.AskFeed(request)]
            case c.React() | c.Vote():
                return [e.TakePart(request, self._may("subscribe", request))]
            case m.Auth():
                return [e.Verify(request.id, request.token)]
            case m.Ping():
                return [e.Send(m.render(m.Pong(id=request.id)))]
            case _:
                assert_never(request)


def _may_watch(grants: Grants, stream: str) -> bool:
    return grants.allows("admin", "*") if stream == OVERVIEW else grants.allows("subscribe", stream)


Session = Guest | Member
