"""The ops `react` and `vote`: what viewers do in a crowd, and how an edge posts it."""

import asyncio
from typing import Protocol

from consumers.protocol import crowd as c
from consumers.protocol import messages as m
from consumers.protocol.session import Member
from consumers.service.publishing import Asking
from consumers.service.refusals import refusal, refusal_of_the_fold
from control.commands.answers import WITHIN_S, Refused, not_answered
from control.crowd.door import By, CrowdDoor, Finder, React
from control.numbering import Placed
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
        self.door = CrowdDoor(
            *(state, finder),
            via=b"edge",
            codec=codec_for(settings, "reaction"),
            signer=Signer(settings.auth),
            clock=clock,
            post=self._post,
            ask=self._ask,
            take_read=budgets.take_read,
        )

    async def do(
        self, request: c.React | c.Vote, stream: Stream, member: Member, size: int
    ) -> m.AnyReply | None:
        """Do what is asked."""
        grants = member.grants
        bound = self._budgets.bound(member.user, admin=grants.allows("admin", "*"))
        by = By(grants, member.user, bound)
        try:
            await self.door.check_reader(grants, stream)
            self._budgets.take_event(bound, size)
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
                    await self.door.react(by, stream, what)
                case c.Vote():
                    await self.door.vote(by, stream, request.poll, request.option)
        except Refused as refused:
            return refusal_of_the_fold(refused, request.id)
        except TouchlineError as error:
            return refusal(error, request.id)
        return None if request.id is None else m.Ok(id=request.id)

    async def _post(self, stream: Stream, value: bytes, headers: Headers) -> None:
        await self._poster.produce(self._topic, stream.channel, value, headers or None)

    async def _ask(self, stream: Stream, value: bytes, headers: Headers) -> None:
        question = await self._answers.ask_soon()
        try:
            async with asyncio.timeout(WITHIN_S):
                await self._post(stream, value, [*question.headers, *headers])
                await asyncio.wrap_future(question.answer)
        except TimeoutError:
            raise not_answered() from None
        finally:
            question.forget()
