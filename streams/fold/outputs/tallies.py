"""What rooms' streams have come to, moved on by each of their events: a record a room and turn. Pure.

See `control.inbox.tally`: an event that is in a tally already changes nothing, so it may be folded again.
"""

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from control.entity.fold import Written
from control.entity.known import Known
from control.entity.types import Stamp
from control.inbox.about import about_of
from control.inbox.tally import Tally, after, said_of
from control.rooms.state import Room
from kernel.access.signing import Signer
from kernel.log.records import Headers, Write
from schemas.checks import CHANGES


class Table(Protocol):
    """Tallies as the owner knows them."""

    def known(self, key: bytes) -> Known[Tally]: ...


class TalliesFold:
    """Those of one worker's rooms."""

    def __init__(
        self,
        table: Table,
        write: Callable[[Written[Tally]], list[Write]],
        encode: Callable[[Tally], bytes],
        room: Callable[[str], Room | None],
        signer: Signer,
    ) -> None:
        """`write` says how a record is written; `room` is the room of a channel, as it is now."""
        self._table, self._write, self._encode = table, write, encode
        self._room, self._signer = room, signer
        self._now: dict[str, Tally] = {}

    def note(self, event: Mapping[str, Any], headers: Headers | None, room: Room | None) -> None:
        """An event of a room was accepted, with its JSON as `body`; `room` is what it made of the room."""
        channel, about = event["channel"], 0
        if event["type"] in CHANGES:
            about = about_of(headers, self._signer, channel, event["data"]["target"] or "")
        before = self._now.get(channel) or self._table.known(channel.encode()).state or Tally(channel=channel)
        now = after(before, said_of(event, about, event["body"]), room or self._room(channel))
        if now is not before:
            self._now[channel] = now

    def writes(self) -> list[Write]:
        """What is written of the events since the last time."""
        now, self._now = self._now, {}
        writes: list[Write] = []
        for channel, tally in now.items():
            key = channel.encode()
            known = self._table.known(key)._replace(state=tally, stamp=Stamp(tally.seq))
            writes += self._write(Written(key, known, self._encode(tally)))
        return writes
