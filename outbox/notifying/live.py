"""Channels that went live, for a user who looks: which of them the user was not told of yet."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from control.commands.signed import seal
from control.outlets.looking import LIVE
from control.outlets.notifying import NOTE_TOLD, Notifying, said_of
from control.rooms.service import Command
from control.state import ControlState
from history import History
from history.following import followed_by, in_feed
from history.unread import notify_stream
from kernel.access.signing import Signer
from kernel.access.tokens import EVERYTHING, Grants
from kernel.access.users import name_in_channel
from kernel.clock import Clock
from kernel.fairness.long_work import LongWork
from kernel.log.positions import MAX_SEQ, split_lane
from outbox.notifying.notes import Note

#: Workers of other partitions may be so far behind one another: events this much older may come later.
_MARGIN_MS: Final = 30_000
_PAGE: Final = 200
_DAYS_MS: Final = 30 * 24 * 60 * 60 * 1000
_LOOKED_AT: Final = 500


class _Live(msgspec.Struct):
    id: str
    stream: str
    seq: int
    sender: str | None = None
    retracted: bool = False


class _Told(msgspec.Struct):
    type: str = ""
    data: dict[str, Any] = {}


class Live:
    """Makes the notes."""

    def __init__(
        self, state: ControlState, history: History, clock: Clock, command: Command, signer: Signer
    ) -> None:
        self._state, self._history, self._clock = state, history, clock
        self._command, self._signer = command, signer

    async def notes(self, user: str) -> list[Note]:
        """What the user is told now. Raises `unavailable`."""
        wishes = self._state.outlets.notifying_of(user)
        if not wishes.wants(LIVE):
            return []
        grants = Grants(user=user, can={"history": EVERYTHING})
        followed = await followed_by(self._state, grants, self._clock, types=frozenset({LIVE}))
        since = {channel: self._since(user, split_lane(channel)[0]) for channel in followed}
        if not since:
            return []
        told = int(wishes.told or 0)
        begin_ms = max(min(since.values()), (told >> 38) - _MARGIN_MS, self._clock.now_ms() - _DAYS_MS)
        found: list[_Live] = []
        after, more = str(max(0, begin_ms - 1) << 38), True
        while more:
            page = await self._history.feed(followed, after=after, limit=_PAGE)
            found += [msgspec.json.decode(body, type=_Live) for body in reversed(page.events)]
            after, more = page.ids[0] if page.ids else after, page.more and bool(page.ids)
        due = [one for one in found if not one.retracted]
        due = [one for one in due if int(one.id) >> 38 >= since.get(_channel(one), 1 << 62)]
        if due:  # some may have been told when they came, as the user's notifications lead out
            known = await self._known(user)
            due = [one for one in due if one.id not in known]
        newest = max((int(one.id) for one in due), default=0)
        if newest > told:
            await self._note_told(user, str(newest))
        return [_note(user, one) for one in due]

    async def came(self, event: Mapping[str, Any], users: Sequence[str]) -> list[Note]:
        """A channel goes live: what those of these users are told who follow it, with room for others."""
        live = _Live(event["id"], f"broadcast:{event['channel']}", event["seq"], event["sender"])
        channel = split_lane(event["channel"])[0]
        found: list[Note] = []
        work = LongWork(self._clock)
        for user in users:
            grants = Grants(user=user, can={"history": EVERYTHING})
            if self._state.feeds.follow(user, channel) is not None:
                shown = in_feed(self._state, grants, channel, self._clock.now_ms())
                if shown is not None and LIVE in shown.types:
                    found.append(_note(user, live))
            await work.let_by()
        return found

    def _since(self, user: str, channel: str) -> int:
        follow = self._state.feeds.follow(user, channel)
        return self._clock.now_ms() if follow is None else follow.since

    async def _known(self, user: str) -> set[str]:
        """The events of which the user was told lately."""
        page = await self._history.read(notify_stream(user), before=MAX_SEQ, limit=_LOOKED_AT)
        told = (msgspec.json.decode(body, type=_Told) for body in page.events)
        return {str(one.data.get("event")) for one in told if one.type == LIVE}

    async def _note_told(self, user: str, newest: str) -> None:
        key = name_in_channel(user)
        said = seal(NOTE_TOLD, key, said_of(Notifying(user=user, told=newest)), self._signer)
        await self._command(key, NOTE_TOLD, said, "touchline")


def _channel(event: _Live) -> str:
    return event.stream.partition(":")[2]


def _note(user: str, event: _Live) -> Note:
    data = {"stream": event.stream, "event": event.id, "seq": event.seq, "by": event.sender}
    return Note(user, (LIVE,), f"live-{event.id}", data)
