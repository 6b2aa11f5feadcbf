"""What doors (gateway, edges) do with reactions and polls for their users; what differs is how they post.

Who may not read a stream may neither react, vote, nor learn what others did; of a room they do not even learn
that it is there. What a door can tell at once it tells; the fold, which goes by the log, has the last word.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Any, Final, NamedTuple, Protocol

import msgspec

from control.channels.channel import ChannelRecord
from control.crowd import polls
from control.crowd.applause_sums import Summing
from control.crowd.crowd import Crowd
from control.crowd.emoji import check_reaction
from control.crowd.reactions import (
    CLOSE,
    MAX_N,
    REACT,
    VOTE,
    bad_n,
    check_said,
    check_target,
    made,
    no_event,
    no_poll,
    signed_headers,
)
from control.crowd.totals import VOTES, Total, names_said
from control.moderation.moderation import Moderation
from control.rooms.rooms import Rooms
from control.rooms.service import Who
from control.rooms.state import is_room
from kernel.access.signing import Signer
from kernel.access.tokens import Grants
from kernel.access.users import KEPT, ROOM
from kernel.clock import Clock
from kernel.errors import TouchlineError
from kernel.log.positions import Stream, split_lane, time_of_id
from kernel.log.records import VIA, Headers
from schemas.codec import Codec

#: Events of which it is remembered that one may react to them.
_MOST_KNOWN: Final = 50_000
#: An event that was only just accepted may not be found yet.
_JUST_NOW_MS: Final = 5000
_AGAIN_S: Final = 0.1
#: Voices that are looked through for what a page of history costs.
_OF_A_READ: Final = 50_000
_TRIES: Final = 5

#: Posts a record of touchline.reactions: until Kafka holds it, or until the fold has accepted it.
PostRecord = Callable[[Stream, bytes, Headers], Awaitable[None]]


class Finder(Protocol):
    """Finds events by their id."""

    async def find(self, stream: Stream, event_id: str, lanes: int = 0) -> bytes | None: ...


class _Found(msgspec.Struct):
    seq: int = 0
    retracted: bool = False


_found: Final = msgspec.json.Decoder(_Found).decode


class Known(Protocol):
    """What is known beside the log (`control.state.ControlState`)."""

    crowd: Crowd
    rooms: Rooms
    moderation: Moderation

    def channel(self, name: str) -> ChannelRecord: ...

    def may_read(self, grants: Grants, channel: str) -> bool: ...


class By(NamedTuple):
    """Whose reaction it is: who asks for it, in which user's name, and whose budgets it counts for."""

    grants: Grants
    user: str | None
    bound: str | None


class React(NamedTuple):
    """A reaction that is asked for."""

    with_: str
    target: str | None = None
    off: bool = False
    n: int = 1
    key: str | None = None
    client_ts: int | None = None


class CrowdService:
    """Reactions and votes of one door's users."""

    def __init__(
        self,
        known: Known,
        finder: Finder,
        *,
        via: bytes,
        codec: Codec,
        signer: Signer,
        clock: Clock,
        post: PostRecord,
        ask: PostRecord,
        take_read: Callable[[str | None, float], None],
    ) -> None:
        """`via` is the door's name on records; `take_read` counts what a look-up costs for a user, or refuses
        it."""
        self._known, self._finder, self._via, self._codec = known, finder, via, codec
        self._signer, self._clock = signer, clock
        self._post, self._ask, self._take_read = post, ask, take_read
        self._seqs: OrderedDict[tuple[Stream, str], int] = OrderedDict()
        self.sums = Summing(self._post_sum)

    # ── reactions ────────────────────────────────────────────────────────────────────────────────────

    async def check_reader(self, grants: Grants, stream: Stream) -> None:
        """Raise `not_found` or `forbidden` where they may not read the stream, or `unavailable`."""
        if is_room(stream):
            await self._known.rooms.seen_by(grants, stream.channel.removeprefix(ROOM))
        elif not self._known.may_read(grants, stream.channel):
            raise TouchlineError("forbidden", f"{stream} is not for you to read.")

    async def react(self, by: By, stream: Stream, what: React) -> None:
        """Returns once Kafka holds it, or the sum that it is in. Whether they may read is asked before."""
        self.check(by, stream, what)
        if what.target is None and what.key is None:
            await asyncio.shield(self.applaud(stream, what.with_, what.n))
            return
        if what.target is not None:
            await self._check_target(by, stream, what.target)
        said = made(
            base_of(stream), REACT, with_=what.with_, target=what.target, user=by.user, off=what.off,
            n=what.n, key=None if what.target is not None else what.key, client_ts=what.client_ts,
        )  # fmt: skip
        await self._post(stream, *self._record(by, stream, said))

    def applaud(self, stream: Stream, with_: str, n: int) -> "asyncio.Future[None]":
        """Applause that was checked, of so many; done once Kafka holds the sum that it is in."""
        return self.sums.add(base_of(stream), with_, n)

    def check(self, by: By, stream: Stream, what: React) -> None:
        """What can be told of a reaction at once. Raises."""
        allowed = self._known.channel(stream.channel).settings.reactions
        check_reaction(what.with_, allowed)
        if not 1 <= what.n <= MAX_N:
            raise bad_n(what.n)
        if what.target is not None and by.user is None:
            raise TouchlineError(
                "bad_request",
                "A reaction to an event is somebody's: say whose.",
                hint="The header Touchline-User, ?user= or --user names one where there are no keys.",
            )
        if what.target is not None or what.key is not None or what.off:
            check_said(
                made(
                    stream, REACT, with_=what.with_, target=what.target, user=by.user, off=what.off,
                    n=what.n, key=what.key,
                )
            )  # fmt: skip
        if by.user is not None:
            self._known.moderation.check_may_publish(stream.channel, by.user)

    async def _post_sum(self, stream: Stream, with_: str, n: int) -> None:
        value = self._codec.encode(made(stream, REACT, with_=with_, n=n))
        kept = n > MAX_N or stream.channel.startswith(KEPT)
        signed = signed_headers(self._signer, stream.channel, value) if kept else None
        if kept and signed is None:  # nothing can be signed here: as many records as it takes
            for start in range(0, n, MAX_N):
                part = made(stream, REACT, with_=with_, n=min(MAX_N, n - start))
                await self._post(stream, self._codec.encode(part), [])
            return
        await self._post(stream, value, signed or [])

    def _record(self, by: By, stream: Stream, said: dict[str, Any]) -> tuple[bytes, Headers]:
        value, headers = self._codec.encode(said), list[tuple[str, str | bytes | None]]()
        if by.bound is not None:
            headers.append((VIA, self._via))
        if stream.channel.startswith(KEPT):  # that they may, was asked here
            headers += signed_headers(self._signer, base_of(stream).channel, value) or []
        return value, headers

    async def _check_target(self, by: By, stream: Stream, target: str) -> None:
        """Raise `not_found` where there is no such event on the stream for them, or it was taken back."""
        check_target(stream, target)
        base = base_of(stream)
        if self._known.moderation.retracted(base.channel, target):
            raise no_event(target, base)
        seq = self._seqs.get((base, target))
        if seq is None:
            if not is_room(base) and self._known.crowd.total(base, target) is not None:
                return  # somebody has reacted to it before
            self._take_read(by.bound, 1.0)
            seq = self._seqs[base, target] = await self._look_up(base, target)
            if len(self._seqs) > _MOST_KNOWN:
                self._seqs.popitem(last=False)
        if is_room(base) and seq not in self._known.rooms.readable(by.grants, base.channel):
            raise no_event(target, base)

    async def _look_up(self, stream: Stream, target: str) -> int:
        lanes = self._known.channel(stream.channel).lanes
        tries = _TRIES if self._clock.now_ms() - time_of_id(target) < _JUST_NOW_MS else 1
        for number in range(tries):
            if number:
                await asyncio.sleep(_AGAIN_S)
            body = await self._finder.find(stream, target, lanes)
            if body is not None:
                found = _found(body)
                if not found.retracted:
                    return found.seq
                break
        raise no_event(target, stream)

    # ── polls ────────────────────────────────────────────────────────────────────────────────────────

    async def vote(self, by: By, stream: Stream, poll: str, option: int) -> None:
        """Returns once the fold has counted it. Raises what is wrong with it."""
        base = base_of(stream)
        if by.user is None:
            raise TouchlineError("bad_request", "A vote is somebody's: say whose.")
        said = made(base, VOTE, target=poll, user=by.user, option=option)
        check_said(said)
        self._known.moderation.check_may_publish(base.channel, by.user)
        total = self._known.crowd.poll(base, poll)
        if total is not None:
            if total.poll is not None and total.poll.closed is not None:
                raise TouchlineError("ended", f"The poll {poll} is closed: no more votes count.")
            if option >= len(total.names):
                raise TouchlineError(
                    "bad_request", f"option is {option}: the poll has {len(total.names)}, counted from 0."
                )
        if is_room(base):
            await self._check_target(by, base, poll)
        await self._ask(base, *self._record(by, base, said))

    async def close(
        self, who: Who, stream: Stream, poll: str, *, leads: Callable[[], Awaitable[None]]
    ) -> Total:
        """Close a poll; the poll as it is then. `leads` raises where they may only close their own."""
        base = base_of(stream)
        total = await self.poll(who.grants, base, poll)
        if total.poll is None or who.user is None or total.poll.by != who.user:
            await leads()
        said = made(base, CLOSE, target=poll)
        value = self._codec.encode(said)
        await self._ask(base, value, signed_headers(self._signer, base.channel, value) or [])
        await self._known.crowd.until(base.channel, lambda: self._is_closed(base, poll))
        return await self.poll(who.grants, base, poll)

    def _is_closed(self, stream: Stream, poll: str) -> bool:
        total = self._known.crowd.poll(stream, poll)
        return total is None or total.poll is None or total.poll.closed is not None

    async def poll(self, grants: Grants, stream: Stream, poll: str) -> Total:
        """A poll for somebody who may read its stream. Raises `not_found`."""
        base = base_of(stream)
        total = self._known.crowd.poll(base, poll)
        if total is None:
            await self._known.crowd.as_of_now(base.channel)
            total = self._known.crowd.poll(base, poll, counted=True)
        return await self._for_reader(grants, base, poll, total)

    async def _for_reader(self, grants: Grants, base: Stream, poll: str, total: Total | None) -> Total:
        if total is None:
            raise no_poll(poll, base)
        if is_room(base):
            await self._check_target(By(grants, None, None), base, poll)
        return total

    async def begun(self, stream: Stream, poll: str) -> None:
        """Return once a poll whose event was accepted may be voted on. Raises `unavailable`."""
        base = base_of(stream)
        await self._known.crowd.until(base.channel, lambda: self._known.crowd.poll(base, poll) is not None)

    # ── totals ───────────────────────────────────────────────────────────────────────────────────────

    async def totals(self, by: By, stream: Stream, target: str | None) -> dict[str, Any]:
        """What reactions have come to, of all that lies on the log now."""
        base, crowd = base_of(stream), self._known.crowd
        if target is not None:
            await self._check_target(by, base, target)
        upto = await crowd.as_of_now(base.channel, voices=target is not None and by.user is not None)
        total = crowd.counted(base, target or "")
        if total is not None and total.retracted:
            raise no_event(str(target), base)
        mine: list[str] = []
        if total is not None and target is not None and by.user is not None:
            mine = names_said(total, await self._said_by(by, base, target, total))
        if total is None:
            return {"totals": {}, "mine": mine, "as_of": upto}
        return {"totals": dict(total.of), "mine": mine, "as_of": max(upto, total.upto)}

    async def shown(self, by: By, stream: Stream, poll: str) -> dict[str, Any]:
        """A poll with its counts, of all that lies on the log now."""
        base, crowd = base_of(stream), self._known.crowd
        upto = await crowd.as_of_now(base.channel, voices=by.user is not None)
        total = await self._for_reader(by.grants, base, poll, crowd.poll(base, poll, counted=True))
        said = await self._said_by(by, base, VOTES + poll, total)
        assert total.poll is not None  # noqa: S101 - else there would be none
        shown = polls.shown(total, total.poll, self._clock.now_ms())
        return {**shown, "mine": said - 1 if said else None, "as_of": max(upto, total.upto)}

    async def _said_by(self, by: By, base: Stream, slot: str, total: Total) -> int:
        """What somebody themselves said there. All voices are looked through: it costs by their number."""
        if by.user is None:
            return 0
        if total.voters > _OF_A_READ:
            self._take_read(by.bound, total.voters / _OF_A_READ)
        return await self._known.crowd.said_by(base, slot, by.user)


def base_of(stream: Stream) -> Stream:
    """The stream without a lane: reactions are to the channel's whole stream."""
    return Stream(stream.kind, split_lane(stream.channel)[0])
