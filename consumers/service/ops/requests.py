"""What viewers ask for beside streams and publishing: history and presence."""

from contextlib import AbstractAsyncContextManager
from typing import Protocol

import msgspec
from msgspec import UNSET, UnsetType

from consumers.protocol import messages as m
from consumers.protocol.session import Member
from consumers.service.error_replies import not_a_reader, refusal
from control.channels.acl import ChannelAcl
from control.rooms.rooms import Rooms
from control.rooms.state import is_room
from history.visible import Reader, read_around, read_visible
from kernel.errors import TouchlineError
from kernel.fairness.budgets import DoorBudgets
from kernel.fairness.concurrency import Slots
from kernel.log.positions import Stream


class Audience(Protocol):
    """How many watch a stream, over all edges."""

    def viewers(self, stream: str) -> int: ...


class Requests:
    """The replies. None of them raises: what goes wrong is a reply too."""

    def __init__(
        self,
        *,
        history: Reader,
        readers: ChannelAcl,
        rooms: Rooms,
        counts: Audience,
        budgets: DoorBudgets,
        pages: Slots,
        page_bytes: int,
    ) -> None:
        self._history, self._readers, self._rooms = history, readers, rooms
        self._counts = counts
        self._budgets, self._pages, self._page_bytes = budgets, pages, page_bytes

    async def history(self, request: m.History, stream: Stream, member: Member) -> m.AnyReply:
        """A page of history, complete up to the head."""
        if not is_room(stream) and not self._readers.allow(member.grants, stream.channel):
            return not_a_reader(request.id, request.stream)
        user = self._bound(member)
        before: bool | UnsetType = UNSET
        after: bool | UnsetType = UNSET
        try:
            self._budgets.take_read(user)
            where = (self._history, self._rooms, member.grants, stream)
            if request.around is not None:
                self._budgets.take_read(user)  # it is two pages
                found = await read_around(
                    *where, seq=request.around, limit=request.limit, max_bytes=self._page_bytes
                )
                page, before, after = found.page, found.before, found.after
            else:
                page = await read_visible(
                    *where,
                    after=request.after,
                    before=request.before,
                    limit=request.limit,
                    replies_to=request.replies_to or "",
                )
            self._budgets.count_read(user, sum(map(len, page.events)))
        except TouchlineError as error:
            return refusal(error, request.id)
        return m.HistoryReply(
            id=request.id,
            stream=request.stream,
            events=[msgspec.Raw(body) for body in page.events],
            more=page.more,
            more_before=before,
            more_after=after,
        )

    def presence(self, request: m.Presence, member: Member) -> m.AnyReply:
        """How many watch a stream now; who may not read it is not told."""
        if not self._readers.allow(member.grants, Stream.parse(request.stream).channel):
            return not_a_reader(request.id, request.stream)
        viewers = self._counts.viewers(request.stream)
        return m.PresenceReply(id=request.id, stream=request.stream, viewers=viewers)

    def count_read(self, member: Member) -> None:
        """What takes as much as a page of history counts as one. Raises RateLimitedError."""
        self._budgets.take_read(self._bound(member))

    def page(self, member: Member) -> AbstractAsyncContextManager[None]:
        """A page is on its way to a member, from when it is asked for until it is taken. Raises."""
        return self._pages.slot(self._bound(member))

    def _bound(self, member: Member) -> str | None:
        return self._budgets.bound(member.user, admin=member.grants.allows("admin", "*"))
