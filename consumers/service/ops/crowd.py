"""The ops `react` and `vote`: what viewers do in a crowd, and how an edge posts it."""

import asyncio
from collections.abc import Iterable
from typing import Protocol

from consumers.protocol import crowd as c
from consumers.protocol import messages as m
from consumers.protocol.session import Member
from consumers.service.error_replies import refusal, refusal_of_the_fold
from consumers.transport.frames import text_frame
from control.commands.answers import Asking, Refused, judged
from control.crowd.service import By, CrowdService, Finder, React
from control.numbering import Placed
from control.rooms.state import is_room
from control.state import ControlState
from kernel.access.signing import Signer
from kernel.clock import Clock
from kernel.errors import TouchlineError
from kernel.fairness.budgets import DoorBudgets
from kernel.log.positions import Stream
from kernel.log.records import Headers
from kernel.log.topics import topic_names
from kernel.settings.reading import Settings
from schemas.ingest import read_time
from schemas.registry import codec_for


class Poster(Protocol):
    """Writes records, each confirmed."""

    async def produce(self, topic: str, key: str, value: bytes, headers: Headers | None = None) -> Placed: ...


class Holder(Protocol):
    """A viewer's connection."""

    @property
    def closing(self) -> bool: ...

    def send(self, message: m.AnyReply) -> None: ...

    def write(self, data: bytes) -> None: ...


class CrowdRequests:
    """The replies. None of them raises: what goes wrong is a reply too."""

    def __init__(
        self,
        settings: Settings,
        clock: Clock,
        state: ControlState,
        finder: Finder,
        *,
        by: tuple[Poster, Asking],
        budgets: DoorBudgets,
    ) -> None:
        """`by` what records are written, and the fold's answers heard."""
        self._topic, self._budgets = topic_names(settings).reactions, budgets
        self._poster, self._answers = by
        self._state = state
        #: Sums that are not on the log yet, with who waits for them, and their requests.
        self._waiting: dict[asyncio.Future[None], dict[Holder, list[int]]] = {}
        self.service = CrowdService(
            *(state, finder),
            via=b"edge",
            codec=codec_for(settings, "reaction"),
            signer=Signer(settings.auth),
            clock=clock,
            post=self._post,
            ask=self._ask,
            take_read=budgets.take_read,
        )

    def applauds(
        self, request: c.React | c.Vote, stream: Stream, member: Member, holder: Holder, size: int
    ) -> bool:
        """Whether it is plain applause, which is taken at once: a task for each would cost more than all the
        rest. It is answered with the sum that it is in. Rooms are looked up first."""
        if not isinstance(request, c.React) or request.target is not None or request.key is not None:
            return False
        if is_room(stream) or not self._state.readers.allow(member.grants, stream.channel):
            return False
        by = self._by(member)
        try:
            self._budgets.take_event(by.bound, size)
            self.service.check(by, stream, React(request.with_, off=request.off, n=request.n))
        except TouchlineError as error:
            holder.send(refusal(error, request.id))
            return True
        done = self.service.applaud(stream, request.with_, request.n)
        if request.id is not None:
            waiting = self._waiting.get(done)
            if waiting is None:
                waiting = self._waiting[done] = {}
                done.add_done_callback(self._settled)
            waiting.setdefault(holder, []).append(request.id)
        return True

    def _settled(self, done: "asyncio.Future[None]") -> None:
        """A sum is on the log, or is not: each viewer is answered in one write."""
        error = done.exception()
        for holder, numbers in self._waiting.pop(done).items():
            if holder.closing:
                continue
            replies: Iterable[m.AnyReply] = (m.Ok(id=number) for number in numbers)
            if error is not None:
                known = (
                    error if isinstance(error, TouchlineError) else TouchlineError("unavailable", str(error))
                )
                replies = (refusal(known, number) for number in numbers)
            holder.write(b"".join(text_frame(m.render(reply)) for reply in replies))

    def _by(self, member: Member) -> By:
        bound = self._budgets.bound(member.user, admin=member.grants.allows("admin", "*"))
        return By(member.grants, member.user, bound)

    async def do(
        self, request: c.React | c.Vote, stream: Stream, member: Member, size: int
    ) -> m.AnyReply | None:
        """Do what is asked."""
        by = self._by(member)
        try:
            await self.service.check_reader(by.grants, stream)
            self._budgets.take_event(by.bound, size)
            match request:
                case c.React():
                    what = React(
                        request.with_,
                        request.target,
                        request.off,
                        request.n,
                        request.key,
                        read_time(request.client_ts),
                    )
                    await self.service.react(by, stream, what)
                case c.Vote():
                    await self.service.vote(by, stream, request.poll, request.option)
        except Refused as refused:
            return refusal_of_the_fold(refused, request.id)
        except TouchlineError as error:
            return refusal(error, request.id)
        return None if request.id is None else m.Ok(id=request.id)

    async def _post(self, stream: Stream, value: bytes, headers: Headers) -> None:
        await self._poster.produce(self._topic, stream.channel, value, headers or None)

    async def _ask(self, stream: Stream, value: bytes, headers: Headers) -> None:
        await judged(self._answers, lambda asked: self._post(stream, value, [*asked, *headers]))


def _known(error: BaseException) -> TouchlineError:
    return error if isinstance(error, TouchlineError) else TouchlineError("unavailable", str(error))
