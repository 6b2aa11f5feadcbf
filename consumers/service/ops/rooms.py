"""The op `room`: what viewers do with rooms over their connection, as others do it over HTTP."""

from collections.abc import Awaitable, Mapping
from typing import Any, Final, Protocol

import msgspec

from consumers.protocol import messages as m
from consumers.protocol.session import Member
from consumers.service.error_replies import refusal, refusal_of_the_fold
from consumers.service.ops.publishing import Poster
from control.commands.answers import Asking, Refused, judged
from control.rooms.rooms import WITHIN_S, Rooms
from control.rooms.service import Alter, Create, Members, RoomService, Who
from history.rooms import Reader, rows_of
from kernel.clock import Clock
from kernel.errors import TouchlineError
from kernel.fairness.budgets import DoorBudgets
from kernel.log.positions import Kind, Stream
from kernel.log.records import VIA, Headers

_LIMIT: Final = 50


class Commands(Protocol):
    """Gives commands about users."""

    async def send(
        self, about: str, command: str, arguments: Mapping[str, Any], *, actor: str | None = None
    ) -> None: ...


class RoomRequests:
    """The replies. None of them raises: what goes wrong is a reply too."""

    def __init__(
        self,
        rooms: Rooms,
        *,
        poster: Poster,
        answers: Asking,
        commands: Commands,
        history: Reader,
        budgets: DoorBudgets,
        clock: Clock,
        most: int = 5000,
    ) -> None:
        self._poster, self._answers, self._history, self._budgets = poster, answers, history, budgets

        async def command(key: str, name: str, arguments: Mapping[str, Any], actor: str | None) -> None:
            await commands.send(key, name, arguments, actor=actor)

        self.service = RoomService(rooms, self._post, command, clock, most=most)

    async def do(self, request: m.Room, member: Member) -> m.AnyReply:
        """Do what is asked, and say what the room is then."""
        try:
            return await self._do(request, Who(member.grants))
        except Refused as refused:
            return refusal_of_the_fold(refused, request.id)
        except TouchlineError as error:
            return refusal(error, request.id)

    async def _do(self, request: m.Room, who: Who) -> m.AnyReply:
        service, room = self.service, request.room or ""
        found: dict[str, Any]
        match request.do:
            case "create":
                if request.name is None:
                    raise TouchlineError("bad_request", "name is missing: what people see of the room.")
                wanted = Create(
                    request.name, request.room, request.members, request.history, request.receipts
                )
                found = await service.create(who, wanted)
            case "get":
                self._budgets.take_read(self._bound(who))
                found = await service.show(who, room)
            case "list":
                self._budgets.take_read(self._bound(who))
                limit = request.limit or _LIMIT
                user = who.named()
                page = await rows_of(self._history, service, who, user, limit=limit, cursor=request.cursor)
                found = {"rooms": page.rooms, "next": page.next}
            case "change":
                found = await service.alter(who, room, Alter(request.name, request.history, request.receipts))
            case "delete":
                found = await service.delete(who, room)
            case "members":
                found = await service.members(who, room, Members(request.add, request.remove, request.roles))
            case "mute":
                self._budgets.take_event(self._bound(who), 0)
                found = await service.mute(who, room, on=True if request.on is None else request.on)
        return msgspec.structs.replace(msgspec.convert(found, m.RoomReply), id=request.id)

    async def _post(self, who: Who, channel: str, event: dict[str, Any]) -> int:
        bound = self._bound(who)
        self._budgets.take_event(bound, len(event["data"]["extra"] or ""))
        headers: Headers = [] if bound is None else [(VIA, b"edge")]
        stream = Stream(Kind.CHAT, channel)

        def post(asked: Headers) -> Awaitable[object]:
            return self._poster.post(stream, event, [*asked, *headers])

        return (await judged(self._answers, post, WITHIN_S)).seq

    def _bound(self, who: Who) -> str | None:
        return self._budgets.bound(who.user, admin=who.grants.allows("admin", "*"))
